/**
 * Writes the committed files that are made from other files, or checks that they are current: npm run generate
 *
 * usage: generate.mjs [--check]
 *
 * build-wasm.mjs installs the compiler of the WebAssembly from npm. Where that fails, the WebAssembly is skipped with a
 * message, and with CI set that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { program } from '../dist/cli.js'
import { jsonSchema } from '../dist/config/schema.js'
import { sweepJsonSchema } from '../dist/config/sweep.js'
import { manPage } from '../dist/manual/man.js'
import { markdownManual } from '../dist/manual/markdown.js'
import { outline } from '../dist/manual/outline.js'
import { version } from '../dist/runs/facts.js'
import { fontData } from './font-data.mjs'

const root = join(import.meta.dirname, '..')
const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values

const json = (value) => `${JSON.stringify(value, null, 2)}\n`
const commands = outline(program())
const files = {
  'configs/schema.json': json(jsonSchema()),
  'configs/sweeps/schema.json': json(sweepJsonSchema()),
  'docs/commands.md': markdownManual(commands),
  'man/eigenae.1': manPage(commands, version),
  'src/plots/font-data.ts': await fontData(),
}

for (const [file, content] of Object.entries(files)) {
  if (readFileSync(join(root, file), 'utf8') === content) continue
  if (check) fail(`${file} is not current: run npm run generate`)
  else {
    writeFileSync(join(root, file), content)
    console.error(`wrote ${file}`)
  }
}
// The WebAssembly takes far longer, so it is not checked if another file has failed.
if (process.exitCode === undefined) generateWasm()

function generateWasm() {
  const args = [join(root, 'scripts/build-wasm.mjs'), ...(check ? ['--check'] : [])]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  process.stderr.write(stderr)
  const compilerIsMissing = status === 3 // build-wasm.mjs
  if (compilerIsMissing && !process.env.CI)
    console.error('skipped native/wasm/*.wasm: its compiler could not be installed')
  else if (status !== 0) fail('native/wasm: the build failed')
}

function fail(message) {
  console.error(message)
  process.exitCode = 1
}
