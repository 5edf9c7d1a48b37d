/**
 * Writes the committed files that are made from other files, or checks that they are current: npm run generate
 *
 * usage: generate.mjs [--check]
 *
 * build-wasm.mjs installs the compiler of the WebAssembly from npm, and generate-ptx.mjs that of the CUDA kernels from PyPI.
 * Where that fails, these files are skipped with a message, and with CI set that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { arms } from '../bench/cuda/job.mjs'
import { program } from '../dist/cli.js'
import { eigenLossKinds } from '../dist/config/eigen-loss-kinds.js'
import { eigenLossSchema, formulaOf } from '../dist/config/eigen-losses.js'
import { jsonSchema } from '../dist/config/schema.js'
import { sweepJsonSchema } from '../dist/config/sweep.js'
import { encodeSpec } from '../dist/engines/core.js'
import { compileFormula } from '../dist/formulas/program.js'
import { manPage, markdownManual } from '../dist/manual/manual.js'
import { outline } from '../dist/manual/outline.js'
import { version } from '../dist/runs/facts.js'
import { cardTable } from './cuda/cards.mjs'
import { fontData } from './font-data.mjs'

const root = join(import.meta.dirname, '..')
const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values

const json = (value) => `${JSON.stringify(value, null, 2)}\n`
const commands = outline(await program())
const files = {
  'configs/schema.json': json(jsonSchema()),
  'configs/sweeps/schema.json': json(sweepJsonSchema()),
  'bench/cuda/arms.txt': Object.entries(arms)
    .map(([name, spec]) => `${[name, ...encodeSpec(spec)].join(' ')}\n`)
    .join(''),
  'docs/commands.md': markdownManual(commands),
  'docs/config.md': withTable('docs/config.md', 'kinds', kindTable()),
  'docs/gpu.md': withTable('docs/gpu.md', 'cards', cardTable()),
  'man/eigenae.1': manPage(commands, version),
  'assets/font.json': await fontData(),
}

for (const [file, content] of Object.entries(files)) {
  if (readFileSync(join(root, file), 'utf8') === content) continue
  if (check) fail(`${file} is not current: run npm run generate`)
  else {
    writeFileSync(join(root, file), content)
    console.error(`wrote ${file}`)
  }
}
// The WebAssembly and the kernels take far longer, so they are not checked if another file has failed.
if (process.exitCode === undefined) generateWasm()
if (process.exitCode === undefined) generateKernels()

/** Returns a page with a table, given as rows of cells, between two comments. */
function withTable(file, name, [head, ...rows]) {
  const lines = [head, ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const table = [lines[0], `|${'---|'.repeat(head.length)}`, ...lines.slice(1)].join('\n')
  return readFileSync(join(root, file), 'utf8').replace(
    new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*(?=<!-- /${name} -->)`),
    (_, begin) => `${begin}${table}\n`,
  )
}

function kindTable() {
  const rows = Object.entries(eigenLossKinds).map(([kind, { formula, description, source }]) => [
    ...[`\`${kind}\``, `\`${formula}\``, description, smallestBatch(kind), source ?? ''],
  ])
  return [['kind', 'formula', 'meaning', 'smallest batch', 'source'], ...rows]
}

function smallestBatch(kind) {
  const width = 1000
  const images = compileFormula(formulaOf(eigenLossSchema.parse({ kind })), width).minimumImages
  if (images > width) return 'd + 1'
  return images === width ? 'd' : String(images)
}

function generateWasm() {
  const args = [join(root, 'scripts/build-wasm.mjs'), ...(check ? ['--check'] : [])]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  process.stderr.write(stderr)
  const compilerIsMissing = status === 3 // build-wasm.mjs
  if (compilerIsMissing && !process.env.CI)
    console.error('skipped native/wasm/*.wasm: its compiler could not be installed')
  else if (status !== 0) fail('native/wasm: the build failed')
}

function generateKernels() {
  const args = [join(root, 'scripts/cuda/generate-ptx.mjs'), ...(check ? ['--check'] : [])]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

function fail(message) {
  console.error(message)
  process.exitCode = 1
}
