// Compiles the kernel's emulation for a shape, unless it is there. The programs are in native/build/cuda-emulation.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../../../scripts/building/processes.mjs'
import { buildFolder, nativeFolder } from '../../../scripts/building/sources.mjs'

const folder = join(buildFolder, 'cuda-emulation')
const compiler = process.env.CXX ?? 'g++'

// No operation may be contracted but those that call fma.
const flags = [
  '-std=c++17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Wno-unknown-pragmas',
  '-ffp-contract=off',
  '-fno-math-errno',
  ...(arch() === 'x64' ? ['-mfma'] : []),
]

/**
 * Returns the path of `emulate` (emulate.cc) for a shape.
 * @param {import('./build.d.mts').Shape} shape
 * @param {{ sanitizer?: boolean, kernel?: string }} options `sanitizer` adds ThreadSanitizer; `kernel` is the folder of a
 *   changed kernel.
 * @returns {Promise<string>}
 */
export async function buildEmulation(
  shape,
  { sanitizer = false, kernel = join(nativeFolder, 'cuda/kernel') } = {},
) {
  const macros = macrosOf(shape).map((macro) => `-D${macro}`)
  const sanitize = sanitizer ? ['-fsanitize=thread', '-g'] : []
  const driver = join(nativeFolder, 'cuda/tests/emulate.cc')
  // Fibers are switched behind ThreadSanitizer's back, so their own code is compiled without it.
  const plain = ['cuda/emulation/fibers.cc', 'cuda/emulation/stack_switch.cc', 'core/optimizer_step.cc']
  const objects = []
  for (const source of plain) {
    const file = join(nativeFolder, source)
    objects.push(
      await made(file, [file, ...headersIn(join(nativeFolder, 'cuda/emulation'))], flags, '.o', (out) => [
        ...flags,
        '-c',
        file,
        '-o',
        out,
      ]),
    )
  }
  const options = [...flags, ...sanitize, ...macros, `-I${kernel}`]
  const inputs = [driver, ...headersIn(kernel), ...objects]
  return made('emulate', inputs, options, '', (out) => [
    ...options,
    '-pthread',
    driver,
    ...objects,
    '-o',
    out,
  ])
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

function headersIn(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(h|cu)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** Returns the file that the compiler makes, whose name is a hash of its inputs and options. */
async function made(name, inputs, options, suffix, command) {
  const hash = createHash('sha256').update(JSON.stringify([compiler, options]))
  for (const file of inputs) hash.update(readFileSync(file)).update('\0')
  const key = hash.digest('hex').slice(0, 20)
  const out = join(folder, `${key}${suffix}`)
  if (existsSync(out)) return out
  mkdirSync(folder, { recursive: true })
  const temporary = `${out}.${process.pid}`
  writeFileSync(`${out}.txt`, `${name} ${options.join(' ')}\n`)
  await runTool(compiler, command(temporary))
  renameSync(temporary, out)
  return out
}
