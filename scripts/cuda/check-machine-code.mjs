// Compiles the shipped PTX to machine code for every compute capability from 7.0 to 12.0, and checks limits that keep a
// kernel fast: registers, spills and shared memory. It needs ptxas from PyPI, and no card.
//
//   node scripts/cuda/check-machine-code.mjs [--sample]
//
// --sample checks one kernel for the oldest and the newest capability.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { inParallel } from '../building/processes.mjs'
import { readShipped, shippedKernels } from './shipped-kernels.mjs'
import { findPtxas, skipWithoutTools } from './wheels.mjs'

const capabilities = ['70', '75', '80', '86', '89', '90', '100', '120']

// `train` has 288 threads. Nine warps are three on one of a multiprocessor's four schedulers, each of which has 16,384
// registers: 16384 / (3 · 32), rounded down to a multiple of 8, is 168. Some registers are spilled around the hot loops, most with
// batch norm.
const limits = {
  train: { registers: 168, spilledBytes: 512, staticSharedBytes: 0 },
  infer: { registers: 128, spilledBytes: 0, staticSharedBytes: 0 },
}

const { sample } = parseArgs({ options: { sample: { type: 'boolean', default: false } } }).values
await skipWithoutTools('the check of machine code', checkAll)

async function checkAll() {
  const ptxas = findPtxas()
  const kernels = shippedKernels().slice(0, sample ? 1 : undefined)
  const targets = sample ? [capabilities[0], capabilities.at(-1)] : capabilities
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-ptxas-'))
  try {
    const files = kernels.map((kernel) => {
      const file = join(folder, `${kernel.key}.ptx`)
      const ptx = readShipped(kernel)
      if (ptx === null) throw new Error(`${kernel.file} is missing: run node scripts/cuda/generate-ptx.mjs`)
      writeFileSync(file, ptx)
      return { kernel, file }
    })
    const pairs = files.flatMap(({ kernel, file }) => targets.map((target) => ({ kernel, file, target })))
    await inParallel(pairs, (pair) => checkOne(ptxas, pair))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function checkOne(ptxas, { kernel, file, target }) {
  const args = [`-arch=sm_${target}`, '--verbose', file, '-o', `${file}.${target}.cubin`]
  const { stderr } = await promisify(execFile)(ptxas, args, { encoding: 'utf8' })
  const used = usedResources(stderr)
  for (const [name, limit] of Object.entries(limits)) {
    const found = used[name]
    if (found === undefined) fail(`ptxas reports no kernel ${name}`)
    else
      for (const [resource, most] of Object.entries(limit))
        if (!(found[resource] <= most)) fail(`${name} has ${found[resource]} ${resource}, more than ${most}`)
  }
  const { train } = used
  console.log(
    `${kernel.key.slice(0, 8)} sm_${target.padEnd(3)} train: ${train?.registers} registers, ${train?.spilledBytes} bytes spilled; infer: ${used.infer?.registers} registers`,
  )

  function fail(problem) {
    console.error(`${kernel.uses[0]}, sm_${target}: ${problem}`)
    process.exitCode = 1
  }
}

/** Reads what ptxas --verbose prints: { train: { registers, spilledBytes, staticSharedBytes }, infer: … }. */
function usedResources(text) {
  const used = {}
  for (const part of text.split(/Compiling entry function '/).slice(1)) {
    const number = (pattern) => Number(pattern.exec(part)?.[1] ?? 0)
    used[part.slice(0, part.indexOf("'"))] = {
      registers: number(/Used (\d+) registers/),
      spilledBytes: number(/(\d+) bytes spill stores/),
      staticSharedBytes: number(/(\d+) bytes smem/),
    }
  }
  return used
}
