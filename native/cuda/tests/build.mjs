// Compiles the kernels' emulation for a shape, unless it is there. The programs are in native/build/cuda-emulation.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../../../scripts/building/processes.mjs'
import { buildFolder, nativeFolder } from '../../../scripts/building/sources.mjs'

export const compiler = process.env.CXX ?? 'g++'

// No operation is contracted but those that call fma. -Og compiles and runs a test in two thirds of the time of -O2.
const flags = [
  ...[
    '-std=c++17',
    '-Og',
    '-Wall',
    '-Wextra',
    '-Wno-unknown-pragmas',
    '-ffp-contract=off',
    '-fno-math-errno',
  ],
  ...(arch() === 'x64' ? ['-mfma'] : []),
]

/**
 * Returns the path of `emulate` (emulate.cc) for a shape.
 * @param {import('./build.d.mts').Shape} shape
 * @param {import('./build.d.mts').BuildOptions} options
 * @returns {Promise<string>}
 */
export async function buildEmulation(shape, options = {}) {
  const { sanitizer = false, native = nativeFolder } = options
  const { out = join(buildFolder, 'cuda-emulation') } = options
  const headersOf = (root) =>
    ['cuda/emulation', 'cuda/host', 'cuda/kernel', 'formulas', 'kernels'].flatMap((folder) =>
      headersIn(join(root, folder)),
    )
  const driver = join(native, 'cuda/tests/emulate.cc')
  const objects = []
  // The fibers report themselves to ThreadSanitizer, so their own code is compiled without it.
  for (const name of [
    'cuda/emulation/fibers.cc',
    'cuda/emulation/stack_switch.cc',
    'core/optimizer_step.cc',
    'formulas/tape.cc',
  ]) {
    const source = join(nativeFolder, name)
    objects.push(await compile([source, ...headersOf(nativeFolder)], [...flags, '-c', source], '.o', out))
  }
  const macros = macrosOf(shape).map((macro) => `-D${macro}`)
  const sanitize = sanitizer ? ['-fsanitize=thread', '-g1'] : []
  const folders = ['cuda/kernel', 'cuda', ''].map((folder) => `-I${join(native, folder)}`)
  const args = [...flags, ...sanitize, ...macros, ...folders, '-pthread', driver, ...objects]
  return compile([driver, ...headersOf(native), ...objects], args, '', out)
}

/** Returns the macros that kernel/shape.h describes, as NVRTC and g++ take them after -D. */
export function macrosOf({ widths, batch, blocks, tiles = 1, batchNorm = 0, activation = 0 }) {
  return [
    `WIDTHS=${widths.join(',')}`,
    `BATCH=${batch}`,
    `BLOCKS=${blocks}`,
    `TILES=${tiles}`,
    `BATCH_NORM=${batchNorm}`,
    `ACTIVATION=${activation}`,
  ]
}

/** Returns the numbers of blocks that a model can be divided among: kernel/shape.h. */
export function divisionsOf(inputs) {
  const quads = Math.ceil(inputs / 64)
  return [quads, 2 * quads, 4 * quads]
}

function headersIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => /\.(h|cu)$/.test(file))
    .sort()
    .map((file) => join(folder, file))
}

/** Returns the file that the compiler makes. Its name is a hash of the inputs and arguments. */
async function compile(inputs, args, suffix, folder) {
  const hash = createHash('sha256').update(JSON.stringify([compiler, args]))
  for (const file of inputs) hash.update(readFileSync(file)).update('\0')
  const out = join(folder, `${hash.digest('hex').slice(0, 20)}${suffix}`)
  if (existsSync(out)) return out
  mkdirSync(folder, { recursive: true })
  const temporary = `${out}.${process.pid}${suffix}`
  await runTool(compiler, [...args, '-o', temporary])
  renameSync(temporary, out)
  return out
}
