// Builds the native engine into native/build/ with whatever C++17 compiler is at hand.
//
//   node scripts/build-native.mjs [--strict] [--tests] [--sanitize=address,undefined|thread]
//
// npm runs it as the package's install script, so a machine without a compiler must not fail: it says what to install
// and exits 0, or 1 with --strict. --tests also builds core-tests, with GoogleTest; --sanitize builds only these, in a
// folder of their own.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const nativeFolder = fileURLToPath(new URL('../native/', import.meta.url))
const buildFolder = join(nativeFolder, 'build')
const coreFolders = ['core', 'kernels', 'penalties']

// A source that is compiled once for each instruction set has its rows here, as
// { architecture: 'x64', suffix: 'avx2', flags: ['-mavx2', '-mfma'] }; every other source is compiled once.
const variantsBySource = {
  'kernels.cc': [
    { architecture: 'x64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
    { architecture: 'x64', suffix: 'avx2', flags: ['-DEIGENAE_KERNELS=avx2Kernels', '-mavx2', '-mfma'] },
    {
      architecture: 'x64',
      suffix: 'avx512',
      flags: [
        '-DEIGENAE_KERNELS=avx512Kernels',
        '-mfma',
        ...['f', 'dq', 'bw', 'vl'].map((set) => `-mavx512${set}`),
      ],
    },
    { architecture: 'arm64', suffix: 'baseline', flags: ['-DEIGENAE_KERNELS=baselineKernels'] },
  ],
}
const onlyVariant = { architecture: process.arch, suffix: '', flags: [] }

// No -ffast-math: a sum keeps its order, so that the same numbers come out at any number of threads.
const commonFlags = [
  '-std=c++17',
  '-fPIC',
  '-pthread',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-Wall',
  '-Wextra',
]
const optimizedFlags = ['-O3', '-fno-math-errno', '-DNDEBUG']

/** Something whose message is all that a person needs. */
class BuildError extends Error {}

const options = readOptions()

try {
  const targets = options.sanitize ? [testsTarget(options.sanitize)] : [addonTarget()]
  if (options.tests && !options.sanitize) targets.push(testsTarget())
  for (const target of targets) await build(target)
} catch (error) {
  console.error(
    error instanceof BuildError ? error.message : `The native engine was not built: ${error.message}`,
  )
  process.exitCode = options.strict || options.tests || options.sanitize ? 1 : 0
}

function readOptions() {
  try {
    const flag = { type: 'boolean', default: false }
    return parseArgs({ options: { strict: flag, tests: flag, sanitize: { type: 'string' } } }).values
  } catch (error) {
    console.error(`build-native: ${error.message}`)
    process.exit(2)
  }
}

function addonTarget() {
  return {
    file: join(buildFolder, 'eigenae.node'),
    folders: [...coreFolders, 'addon'],
    get flags() {
      return [...optimizedFlags, '-DNAPI_VERSION=8', `-I${nodeApiHeaders()}`]
    },
    linkFlags: process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'],
  }
}

function testsTarget(sanitizers) {
  const sanitizerFlags = sanitizers
    ? ['-O2', '-g', '-fno-omit-frame-pointer', `-fsanitize=${sanitizers}`, '-fno-sanitize-recover=all']
    : []
  return {
    file: join(buildFolder, sanitizers ? `sanitize-${sanitizers}` : '.', 'core-tests'),
    folders: [...coreFolders, 'tests', 'tests/reference'],
    flags: sanitizers ? sanitizerFlags : optimizedFlags,
    linkFlags: [...sanitizerFlags, '-lgtest', '-lgtest_main'],
  }
}

/** Leaves the target as the sources are now, or, where that fails, none. */
async function build(target) {
  const stampFile = `${target.file}.stamp`
  const stamp = existsSync(target.file) && existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : ''
  try {
    const sources = hashSources(target)
    const compiler = findCompiler()
    if (compiler === null && stamp.startsWith(sources)) return
    if (compiler === null) throw new BuildError(installHint('no C++17 compiler was found'))
    if (stamp === `${sources}\n${compiler.version}`) return
    await compileAndLink(target, compiler)
    writeFileSync(stampFile, `${sources}\n${compiler.version}`)
  } catch (error) {
    rmSync(target.file, { force: true })
    rmSync(stampFile, { force: true })
    throw error
  }
}

async function compileAndLink(target, compiler) {
  mkdirSync(join(target.file, '..'), { recursive: true })
  const temporary = mkdtempSync(join(buildFolder, 'objects-')) // two builds at once must not share objects
  try {
    const objects = await inParallel(compileUnits(target), async (unit) => {
      const object = join(temporary, `${basename(unit.source)}${unit.suffix}.o`)
      const flags = [...commonFlags, ...target.flags, ...unit.flags]
      await runCompiler(compiler, [...flags, '-c', unit.source, '-o', object])
      return object
    })
    const linked = join(temporary, basename(target.file))
    await runCompiler(compiler, ['-pthread', '-o', linked, ...objects, ...target.linkFlags])
    renameSync(linked, target.file)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function compileUnits(target) {
  return filesOf(target, '.cc').flatMap((source) => {
    const variants = variantsBySource[basename(source)] ?? [onlyVariant]
    return variants.filter((v) => v.architecture === process.arch).map((variant) => ({ source, ...variant }))
  })
}

function filesOf(target, ...extensions) {
  return target.folders.flatMap((folder) =>
    readdirSync(join(nativeFolder, folder))
      .filter((name) => extensions.some((extension) => name.endsWith(extension)))
      .sort()
      .map((name) => join(nativeFolder, folder, name)),
  )
}

/** A digest of all that decides what comes out, but the compiler. */
function hashSources(target) {
  const hash = createHash('sha256')
  for (const file of [...filesOf(target, '.cc', '.h'), fileURLToPath(import.meta.url)]) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.update(JSON.stringify([target.flags, target.linkFlags, process.arch])).digest('hex')
}

/** The first of $CXX, g++, clang++ and c++ that compiles C++17, or null. */
function findCompiler() {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new BuildError(
      `The native engine was not built: it builds on Linux and macOS, not on ${process.platform}.`,
    )
  }
  const probe = '#include <optional>\nint main() { return std::optional<int>(0).value(); }\n'
  for (const name of [process.env.CXX, 'g++', 'clang++', 'c++']) {
    if (!name) continue
    const [command, ...flags] = name.trim().split(/\s+/)
    const compiles = spawnSync(command, [...flags, '-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], {
      input: probe,
    })
    if (compiles.status !== 0) continue
    const version = spawnSync(command, [...flags, '--version'], { encoding: 'utf8' }).stdout
    return { command, flags, version: `${name}\n${version}` }
  }
  return null
}

function runCompiler(compiler, flags) {
  return new Promise((resolve, reject) => {
    const child = spawn(compiler.command, [...compiler.flags, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) {
        if (output) console.error(output.trimEnd())
        resolve()
      } else {
        const firstLines = output.trim().split('\n').slice(0, 12).join('\n')
        reject(new BuildError(`${firstLines}\n${installHint(`${compiler.command} failed`)}`))
      }
    })
  })
}

async function inParallel(items, work) {
  const results = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

function installHint(reason) {
  const commands =
    process.platform === 'darwin'
      ? ['xcode-select --install']
      : ['Debian, Ubuntu:  apt-get install g++', 'Fedora:          dnf install gcc-c++']
  return [
    `The native engine was not built: ${reason}. It needs a C++17 compiler:`,
    ...commands.map((command) => `  ${command}`),
    'Then run: node scripts/build-native.mjs --strict',
  ].join('\n')
}

function nodeApiHeaders() {
  return createRequire(import.meta.url)('node-api-headers').include_dir
}
