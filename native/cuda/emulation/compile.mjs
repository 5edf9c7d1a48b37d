// Compiles the emulation into native/build/cuda/: PTX, translated to C++, and the stand-in for libcuda.so.1. Every file is
// named by a hash of all it was made of, so that it is compiled once.
//
//   node native/cuda/emulation/compile.mjs stand-in      prints the folder that has libcuda.so.1
//   node native/cuda/emulation/compile.mjs ptx FILE      prints the path of the shared library
//   node native/cuda/emulation/compile.mjs runner        prints the path of the program of run_kernel.cc
//
// The stand-in itself calls the second form, for every module that a program loads.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BuildError } from '../../../scripts/building/processes.mjs'
import { buildFolder } from '../../../scripts/building/sources.mjs'
import { PtxError } from './read-ptx.mjs'
import { translatePtx } from './translate-ptx.mjs'

const folder = dirname(fileURLToPath(import.meta.url))
const outputFolder = join(buildFolder, 'cuda')
const hint = 'Debian, Ubuntu:  apt-get install g++'

const fiberSources = ['fibers.cc', 'stack_switch.cc']
const emulationHeaders = ['fibers.h', 'stack_switch.h', 'thread_sanitizer.h', 'translated_kernel.h']
const translator = ['read-ptx.mjs', 'ptx-instructions.mjs', 'translate-ptx.mjs', 'compile.mjs']
const standInSources = [
  'stand_in.cc',
  'stand_in_memory.cc',
  'stand_in_module.cc',
  'stand_in_settings.cc',
  'stand_in_stream.cc',
]
const standInHeaders = standInSources.slice(1).map((source) => source.replace(/cc$/, 'h'))
const argumentHeaders = ['../kernel/arguments.h', '../kernel/shape.h', '../../kernels/elementwise.h']

const commonFlags = ['-std=c++17', '-fPIC', '-pthread', '-fvisibility=hidden', '-Wall', '-Wextra']
// -Og compiles in half the time of -O1. A float operation of PTX is one operation here, so none is contracted. Registers are
// read as other types than they were written.
const translatedFlags = [
  '-Og',
  '-ffp-contract=off',
  '-fno-strict-aliasing',
  '-fno-math-errno',
  '-w',
  ...fmaFlags(),
]

/**
 * Returns the path of a shared library with the module's kernels and the fibers. `count` is that of translatePtx. Throws
 * PtxError or BuildError.
 */
export function compilePtx(ptx, { count = process.env.EIGENAE_SEGMENT_COUNTS !== undefined } = {}) {
  const inputs = [ptx, String(count), ...contents([...translator, ...emulationHeaders, ...fiberSources])]
  return cached('.so', inputs, (output) => {
    compile(['-shared', '-o', output, translatedObject(ptx, { count }), ...fiberObjects()])
  })
}

/**
 * Returns the path of an object file with the module's kernels. It is linked with fiberObjects(). `sanitizer` is for example
 * "thread"; the fibers' own objects are compiled without.
 */
export function translatedObject(ptx, { sanitizer, count = false } = {}) {
  const flags = sanitizer === undefined ? [] : [`-fsanitize=${sanitizer}`, '-g1']
  return cached(
    '.o',
    [ptx, String(count), ...flags, ...contents([...translator, ...emulationHeaders])],
    (output) => {
      const source = output.replace(/\.o$/, '.cc')
      writeFileSync(source, translatePtx(ptx, { count }))
      compile([...translatedFlags, ...flags, '-I', folder, '-c', source, '-o', output])
    },
  )
}

/** Returns the paths of the fibers' object files. */
export function fiberObjects() {
  return fiberSources.map((source) =>
    cached('.o', contents([source, ...emulationHeaders]), (output) => {
      compile(['-O2', '-c', join(folder, source), '-o', output])
    }),
  )
}

/** Returns the folder that has the stand-in as libcuda.so.1. */
export function compileStandIn() {
  const sources = standInSources.map((source) => join(folder, source))
  const library = cached(
    '/libcuda.so.1',
    contents([...standInSources, ...standInHeaders, ...emulationHeaders, ...argumentHeaders]),
    (output) => {
      const compiler = JSON.stringify(join(folder, 'compile.mjs'))
      compile(['-O1', '-shared', `-DEIGENAE_COMPILE_SCRIPT=${compiler}`, '-o', output, ...sources, '-ldl'])
    },
  )
  return dirname(library)
}

/**
 * Returns the path of a program of these sources that calls the module's kernels itself. `headers` are files that the
 * sources include. `sanitizer` is for sources and kernels.
 */
export function compileProgram(ptx, { sources, headers = [], flags, sanitizer }) {
  const sanitize = sanitizer === undefined ? [] : [`-fsanitize=${sanitizer}`, '-g1']
  const texts = [...sources, ...headers].map((file) => readFileSync(file))
  const inputs = [ptx, ...flags, ...sanitize, ...texts, ...contents([...translator, ...emulationHeaders])]
  return cached('/program', inputs, (output) => {
    const objects = [translatedObject(ptx, { sanitizer }), ...fiberObjects()]
    compile([...translatedFlags, ...flags, ...sanitize, '-o', output, ...sources, ...objects])
  })
}

/** Returns the path of the program of run_kernel.cc. */
export function compileRunner() {
  return cached('/run-kernel', contents(['run_kernel.cc', ...emulationHeaders]), (output) => {
    compile(['-O1', '-o', output, join(folder, 'run_kernel.cc'), ...fiberObjects(), '-ldl'])
  })
}

/** Returns the path of the file that make(path) writes, unless one of the same inputs is there. */
function cached(suffix, inputs, make) {
  const hash = createHash('sha256')
  for (const input of [process.env.CXX ?? '', process.arch, ...commonFlags, ...translatedFlags, ...inputs])
    hash.update(input).update('\0')
  const path = join(outputFolder, `${hash.digest('hex').slice(0, 32)}${suffix}`)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  const temporary = mkdtempSync(join(outputFolder, 'making-'))
  try {
    const made = join(temporary, `made${suffix.replace('/', '-')}`)
    make(made)
    renameSync(made, path)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return path
}

function contents(names) {
  return names.map((name) => readFileSync(join(folder, name)))
}

function compile(args) {
  const [command, ...flags] = (process.env.CXX ?? 'g++').trim().split(/\s+/)
  const { error, status, stderr } = spawnSync(command, [...flags, ...commonFlags, ...args], {
    encoding: 'utf8',
  })
  if (error !== undefined)
    throw new BuildError(`${command} was not found, which compiles the emulated kernels.\n${hint}`)
  if (status !== 0) throw new BuildError(stderr.split('\n').slice(0, 12).join('\n'))
}

/** Fused multiply-add as an instruction, where the processor has it; otherwise the C library computes the same. */
function fmaFlags() {
  if (process.arch !== 'x64' || !existsSync('/proc/cpuinfo')) return []
  return /^flags.*\bfma\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')) ? ['-mfma'] : []
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [kind, file] = process.argv.slice(2)
  const kinds = {
    'stand-in': compileStandIn,
    ptx: () => compilePtx(readFileSync(file, 'utf8')),
    runner: compileRunner,
  }
  try {
    console.log(kinds[kind]())
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof PtxError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
