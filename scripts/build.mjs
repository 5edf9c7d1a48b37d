/**
 * Compiles the C++ core and the TypeScript, unless both are already built from the present files.
 *
 * usage: build.mjs [--force]
 *
 * dist/inputs.sha256 holds a digest of everything that went into a build and one of everything that came out of it. The
 * output is included because `npm run compile` and tsc write to dist/, too. Contents are compared, not times, because git
 * and cp change times without changing files. A C++ compiler that was upgraded in place is not noticed: use --force.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')
const stampFile = join(root, 'dist/inputs.sha256')
const addon = 'native/build/eigenae.node'

// npm writes node_modules/.package-lock.json at each installation: it stands for tsc, rolldown and the bundled packages.
const inputs = [
  ...['src', 'native', 'scripts', 'tsconfig.json', 'tsconfig.build.json'],
  ...['package.json', 'node_modules/.package-lock.json'],
]
const outputs = ['dist', addon]

const { force } = parseArgs({ options: { force: { type: 'boolean', default: false } } }).values
const before = digestOf(inputs)
if (force || !isFresh()) build()

function isFresh() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === `${before}\n${digestOf(outputs)}\n`
}

function build() {
  rmSync(stampFile, { force: true })
  run('scripts/build-native.mjs')
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json')
  run('scripts/bundle.mjs')
  // Without a C++ compiler there is no addon, and the next build has to look for a compiler again.
  if (existsSync(join(root, addon))) writeFileSync(stampFile, `${before}\n${digestOf(outputs)}\n`)
}

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Returns a digest of the names and contents of the files below these paths, Node's version and the chosen compiler. */
function digestOf(paths) {
  const hash = createHash('sha256').update(JSON.stringify([process.version, process.env.CXX]))
  for (const file of paths.flatMap(filesBelow)) {
    const content = readFileSync(join(root, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Returns the files below a path in the order of their names; the path itself if it is a file; [] if it is missing. */
function filesBelow(path) {
  const found = statSync(join(root, path), { throwIfNoEntry: false })
  if (found === undefined || path === 'native/build' || path === 'dist/inputs.sha256') return []
  if (found.isFile()) return [path]
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`))
}
