// Builds the core for WebAssembly: native/wasm/eigenae.wasm, and eigenae-relaxed.wasm with relaxed SIMD.
//
//   node scripts/build-wasm.mjs [--check]
//
// Both files are committed, so that nobody needs these tools to train. --check builds them in a temporary folder and
// compares. The bytes depend on the compiler and the C++ library: they are Debian 12's.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { BuildError, inParallel, runTool } from './building/processes.mjs'
import { coreFolders, filesIn, nativeFolder } from './building/sources.mjs'

const library = '/usr/lib/wasm32-wasi'
const headers = '/usr/include/wasm32-wasi'
const compilerMissing = 3 // the exit code, which generate.mjs reads
const packages = 'clang-16 lld-16 libc++-16-dev-wasm32 libc++abi-16-dev-wasm32 wasi-libc'

const modules = [
  { file: 'eigenae.wasm', flags: ['-msimd128'] },
  { file: 'eigenae-relaxed.wasm', flags: ['-msimd128', '-mrelaxed-simd'] },
]

// In place of the first three: native/wasm/, which calls the one set of kernels. The others start threads of their own.
const notHere = ['team.cc', 'instruction_set.cc', 'trainer.cc', 'peak.cc', 'neighbours.cc']

// Products and sums stay two operations, so that the same numbers come out on every machine.
const compileFlags = [
  '--target=wasm32-wasi',
  ...['-nostdinc++', '-isystem', join(headers, 'c++/v1'), '-isystem', headers],
  ...['-std=c++17', '-O3', '-DNDEBUG', '-Wall', '-Wextra'],
  ...['-ffp-contract=off', '-fno-math-errno', '-fno-rtti', '-fno-threadsafe-statics'],
  ...['-matomics', '-mbulk-memory'],
]

// The library's archives know no threads, hence --no-check-features: runtime.cc locks what threads share of it.
const linkFlags = [
  ...['--no-entry', '--strip-all', '--gc-sections', '--stack-first', '-z', 'stack-size=1048576'],
  ...[
    '--import-memory',
    '--shared-memory',
    `--initial-memory=${2 ** 21}`,
    `--max-memory=${2 ** 32}`,
    '--no-check-features',
  ],
  ...['malloc', 'aligned_alloc', 'free'].map((name) => `--wrap=${name}`),
  ...['--export=__stack_pointer', `-L${library}`],
]

try {
  const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values
  for (const name of [headers, '/usr/bin/clang++-16', '/usr/bin/wasm-ld-16']) {
    if (existsSync(name)) continue
    console.error(`${name} is missing. On Debian 12: apt-get install ${packages}`)
    process.exit(compilerMissing)
  }
  for (const { file, flags } of modules) await build(join(nativeFolder, 'wasm', file), flags, check)
} catch (error) {
  console.error(error instanceof BuildError ? error.message : error)
  process.exitCode = 1
}

async function build(file, flags, check) {
  const bytes = await compileAndLink(flags)
  const name = basename(file)
  if (!check) {
    writeFileSync(file, bytes)
    return console.error(`${name}: ${bytes.length} bytes`)
  }
  if (!existsSync(file) || !readFileSync(file).equals(bytes)) {
    throw new BuildError(`native/wasm/${name} is not what its sources give: run node scripts/build-wasm.mjs`)
  }
  console.error(`${name} is what its sources give`)
}

async function compileAndLink(flags) {
  const run = (command, args) => runTool(command, args, { cwd: nativeFolder })
  const temporary = mkdtempSync(join(tmpdir(), 'eigenae-wasm-'))
  try {
    const objects = await inParallel(sources(), async (source) => {
      const object = join(temporary, `${source.replaceAll('/', '-')}.o`)
      await run('/usr/bin/clang++-16', [...compileFlags, ...flags, '-c', source, '-o', object])
      return object
    })
    const linked = join(temporary, 'linked.wasm')
    const libraries = ['-lc++', '-lc++abi', '-lc']
    await run('/usr/bin/wasm-ld-16', [...linkFlags, ...objects, ...libraries, '-o', linked])
    return readFileSync(linked)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Relative to native/: what a path is spelled like must not reach the bytes. */
function sources() {
  const core = filesIn(coreFolders, '.cc').filter((source) => !notHere.includes(basename(source)))
  return [...core, ...filesIn(['wasm'], '.cc')]
}
