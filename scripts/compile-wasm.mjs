// Compiles the core to a WebAssembly module. build-wasm.mjs runs this once for each binary.
//
//   node scripts/compile-wasm.mjs COMPILER OUTPUT [FLAG…]
//
// COMPILER is the main file of the package @yowasp/clang: clang, its linker and its C and C++ libraries, which see only the
// files that they are given. So the bytes do not depend on the machine or the folder.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { filesIn, nativeFolder, wasmFolders } from './building/sources.mjs'

// Sources that WebAssembly does not use. native/wasm/ replaces the first three; the last one starts threads of its own.
const excluded = ['team.cc', 'instruction_set.cc', 'trainer.cc', 'peak.cc']

// -ffp-contract=off keeps products and sums separate operations, so that the result is the same on every machine.
const compileFlags = [
  '--target=wasm32-wasip1',
  ...['-std=c++17', '-O3', '-DNDEBUG', '-Wall', '-Wextra'],
  ...['-ffp-contract=off', '-fno-math-errno', '-fno-rtti', '-fno-threadsafe-statics'],
  ...['-matomics', '-mbulk-memory'],
]

// --no-check-features, because the libraries are compiled without atomics. runtime.cc locks the allocator, the only part of
// them that several threads use.
const linkFlags = [
  ...['--no-entry', '--strip-all', '--gc-sections', '--stack-first', '-z,stack-size=1048576'],
  ...['--import-memory', '--shared-memory', `--initial-memory=${2 ** 21}`, `--max-memory=${2 ** 32}`],
  ...['--no-check-features', '--export=__stack_pointer'],
  ...['malloc', 'aligned_alloc', 'free'].map((name) => `--wrap=${name}`),
].map((flag) => `-Wl,${flag}`)

// The compiler's file system ignores "..", which #include lines contain. An overlay that maps native/ to itself resolves it.
const overlay = {
  version: 0,
  roots: [{ name: '/native', type: 'directory-remap', 'external-contents': '/native' }],
}

const [compiler, output, ...flags] = process.argv.slice(2)
const { Exit, runClang } = await import(pathToFileURL(compiler).href)
try {
  await runClang(null, {}, { fetchProgress: () => {} }) // loads the compiler, without printing the progress
  const files = await runClang(
    [
      ...['clang++', ...compileFlags, ...flags, '-ivfsoverlay', 'overlay.json'],
      ...['-nostartfiles', '--no-wasm-opt', ...linkFlags],
      ...[...sources(), '-o', 'linked.wasm'],
    ],
    { native: tree(), 'overlay.json': JSON.stringify(overlay) },
    { decodeASCII: false },
  )
  writeFileSync(output, files['linked.wasm'])
} catch (error) {
  if (!(error instanceof Exit)) throw error
  process.exitCode = 1 // the compiler has printed why
}

function sources() {
  return filesIn(wasmFolders, '.cc')
    .filter((source) => source.startsWith('wasm/') || !excluded.includes(basename(source)))
    .map((source) => `native/${source}`)
}

/** Returns the sources and headers as the compiler takes them: { folder: { name: text } }. */
function tree() {
  const files = (folder) =>
    filesIn([folder], '.h', '.cc').map((file) => [
      basename(file),
      readFileSync(join(nativeFolder, file), 'utf8'),
    ])
  return Object.fromEntries(wasmFolders.map((folder) => [folder, Object.fromEntries(files(folder))]))
}
