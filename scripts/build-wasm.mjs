// Builds the core for WebAssembly: native/wasm/eigenae.wasm, and eigenae-relaxed.wasm with relaxed SIMD.
//
//   node scripts/build-wasm.mjs [--check]
//
// There are two binaries because Node 20 rejects relaxed SIMD, whose fused multiply-add Node 22 and 24 run. Both files are
// committed, so training needs no compiler. --check builds them in a temporary folder and compares the bytes.
//
// The compiler is the npm package @yowasp/clang: clang, its linker and the C and C++ libraries, compiled to WebAssembly. It
// runs wherever Node does and gives the same bytes everywhere. Its version is pinned, because the bytes depend on it. It is
// installed into native/build/wasm/ on the first build rather than by npm ci, because it takes 100 MB. Compiling takes five
// minutes of a processor, so that folder also keeps the binaries, named by a hash of everything that they are made from.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BuildError, inParallel, runTool } from './building/processes.mjs'
import { buildFolder, filesIn, nativeFolder, wasmFolders } from './building/sources.mjs'

const compilerVersion = '21.1.4-3'
const compilerPackage = `@yowasp/clang@${compilerVersion}`
const cacheFolder = join(buildFolder, 'wasm')
const compilerFolder = join(cacheFolder, `yowasp-clang-${compilerVersion}`)
const compileScript = fileURLToPath(new URL('compile-wasm.mjs', import.meta.url))
const sourcesScript = fileURLToPath(new URL('building/sources.mjs', import.meta.url))
const compilerMissing = 3 // the exit code, which generate.mjs reads

const modules = [
  { file: 'eigenae.wasm', flags: ['-msimd128'] },
  { file: 'eigenae-relaxed.wasm', flags: ['-msimd128', '-mrelaxed-simd'] },
]

try {
  const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values
  if (!existsSync(compilerFolder)) installCompiler()
  const built = await inParallel(modules, async ({ file, flags }) => ({
    file,
    bytes: await compile(flags),
  }))
  for (const { file, bytes } of built) check ? compare(file, bytes) : write(file, bytes)
} catch (error) {
  console.error(error instanceof BuildError ? error.message : error)
  process.exitCode ??= 1
}

/** Installs the compiler in another folder, which it renames at the end, so that an interruption leaves no half of it. */
function installCompiler() {
  const partialFolder = `${compilerFolder}.${process.pid}`
  console.error(`installing ${compilerPackage} into ${compilerFolder}`)
  mkdirSync(partialFolder, { recursive: true })
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  const { status } = spawnSync('npm', ['install', '--prefix', partialFolder, ...flags, compilerPackage], {
    stdio: ['ignore', process.stderr, process.stderr],
    shell: process.platform === 'win32', // where npm is a script
  })
  if (status === 0) return renameSync(partialFolder, compilerFolder)
  rmSync(partialFolder, { recursive: true, force: true })
  process.exitCode = compilerMissing
  throw new BuildError(`npm could not install ${compilerPackage}, which compiles to WebAssembly`)
}

/** Returns the bytes of the module that these flags give. */
async function compile(flags) {
  const module = join(cacheFolder, `${digestOf(flags)}.wasm`)
  if (!existsSync(module)) {
    const compiler = join(compilerFolder, 'node_modules/@yowasp/clang/gen/bundle.js')
    const partial = `${module}.${process.pid}`
    await runTool(process.execPath, [compileScript, compiler, partial, ...flags], {
      hint: () => `compiling to WebAssembly with ${flags.join(' ')} failed`,
    })
    renameSync(partial, module)
  }
  return readFileSync(module)
}

/** Returns a digest of the compiler's version, the flags, the sources and the scripts that choose them. */
function digestOf(flags) {
  const hash = createHash('sha256').update(JSON.stringify([compilerPackage, flags]))
  for (const script of [compileScript, sourcesScript]) hash.update(readFileSync(script)).update('\0')
  for (const file of filesIn(wasmFolders, '.cc', '.h'))
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(nativeFolder, file)))
      .update('\0')
  return hash.digest('hex')
}

function write(file, bytes) {
  writeFileSync(join(nativeFolder, 'wasm', file), bytes)
  console.error(`${file}: ${bytes.length} bytes`)
}

/** @throws BuildError if the committed file has other bytes. */
function compare(file, bytes) {
  const committed = join(nativeFolder, 'wasm', file)
  if (!existsSync(committed) || !readFileSync(committed).equals(bytes)) {
    throw new BuildError(`native/wasm/${file} is out of date: run node scripts/build-wasm.mjs`)
  }
  console.error(`${file} is up to date`)
}
