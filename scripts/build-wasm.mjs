// Builds the core for WebAssembly: native/wasm/eigenae.wasm, and eigenae-relaxed.wasm with relaxed SIMD.
//
//   node scripts/build-wasm.mjs [--check]
//
// There are two binaries because Node 20 rejects relaxed SIMD, whose fused multiply-add Node 22 and 24 run. Both files are
// committed, so training needs no compiler. --check builds them in a temporary folder and compares the bytes.
//
// The bytes depend on the compiler and on the C and C++ libraries, so these are pinned to Debian 12's. zig (PyPI's ziglang)
// was tried instead: its linker lacks --stack-first and --no-check-features, it cannot declare a maximum of 4 GB, and its C
// library imports functions of WASI. Without Debian 12, run this script in a container:
//
//   docker run --rm -v "$PWD:/eigenae" -w /eigenae node:20-bookworm sh -c \
//     'apt-get update && apt-get install -y clang-16 lld-16 libc++-16-dev-wasm32 libc++abi-16-dev-wasm32 wasi-libc &&
//      node scripts/build-wasm.mjs'
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

// Sources that WebAssembly does not use. native/wasm/ replaces the first three; the others start threads of their own.
const excluded = ['team.cc', 'instruction_set.cc', 'trainer.cc', 'peak.cc', 'neighbours.cc']

// -ffp-contract=off keeps products and sums separate operations, so that the result is the same on every machine.
const compileFlags = [
  '--target=wasm32-wasi',
  ...['-nostdinc++', '-isystem', join(headers, 'c++/v1'), '-isystem', headers],
  ...['-std=c++17', '-O3', '-DNDEBUG', '-Wall', '-Wextra'],
  ...['-ffp-contract=off', '-fno-math-errno', '-fno-rtti', '-fno-threadsafe-statics'],
  ...['-matomics', '-mbulk-memory'],
]

// --no-check-features, because the libraries are compiled without atomics. runtime.cc locks the allocator, the only part of
// them that several threads use.
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
    throw new BuildError(`native/wasm/${name} is out of date: run node scripts/build-wasm.mjs`)
  }
  console.error(`${name} is up to date`)
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

/** Returns paths relative to native/, so that the bytes do not depend on where the project is. */
function sources() {
  const core = filesIn(coreFolders, '.cc').filter((source) => !excluded.includes(basename(source)))
  return [...core, ...filesIn(['wasm'], '.cc')]
}
