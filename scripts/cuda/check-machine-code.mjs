// Compiles the shipped PTX to machine code for every compute capability from 7.0 to 12.0, and checks limits that keep a
// kernel fast: registers, spills and shared memory. It needs ptxas and nvdisasm from PyPI, and no card.
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
import { findNvdisasm, findPtxas, skipWithoutTools } from './wheels.mjs'

const capabilities = ['70', '75', '80', '86', '89', '90', '100', '120']

// `train` has 288 threads. Nine warps are three on one of a multiprocessor's four schedulers, each of which has 16,384
// registers: 16384 / (3 · 32), rounded down to a multiple of 8, is 168. Some registers are spilled around the hot loops, most with
// batch norm.
const limits = {
  train: { registers: 168, spilledBytes: 512, spillsInLoops: 0, staticSharedBytes: 0 },
  infer: { registers: 128, spilledBytes: 0, spillsInLoops: 0, staticSharedBytes: 0 },
}

const { sample } = parseArgs({ options: { sample: { type: 'boolean', default: false } } }).values
await skipWithoutTools('the check of machine code', checkAll)

async function checkAll() {
  const tools = { ptxas: findPtxas(), nvdisasm: findNvdisasm() }
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
    await inParallel(pairs, (pair) => checkOne(tools, pair))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function checkOne({ ptxas, nvdisasm }, { kernel, file, target }) {
  const cubin = `${file}.${target}.cubin`
  const run = promisify(execFile)
  const { stderr } = await run(ptxas, [`-arch=sm_${target}`, '--verbose', file, '-o', cubin])
  const used = usedResources(stderr)
  // No nvdisasm on PyPI reads code for 7.0.
  if (target !== '70') {
    const { stdout } = await run(nvdisasm, ['-c', cubin], { maxBuffer: 2 ** 27 })
    for (const name of Object.keys(used)) used[name].spillsInLoops = spillsInLoops(stdout, name)
  }
  for (const [name, limit] of Object.entries(limits)) {
    const found = used[name]
    if (found === undefined) fail(`ptxas reports no kernel ${name}`)
    else
      for (const [resource, most] of Object.entries(limit))
        if (found[resource] > most) fail(`${name} has ${found[resource]} ${resource}, more than ${most}`)
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

/**
 * Counts the accesses of local memory in the kernel's loops of fused multiply-adds. Loops with a barrier of the block, like
 * those of the steps, do not count, nor do those that load and store a model. `assembly` is what nvdisasm prints.
 */
function spillsInLoops(assembly, kernel) {
  const section = new RegExp(`\\.section\\s+\\.text\\.${kernel},([^]*?)(\\n\\s*\\.section\\s|$)`).exec(
    assembly,
  )
  const lines = section[1].split('\n').filter((line) => /^\.L_|^\s+\/\*\w{4,}\*\//.test(line))
  const places = new Map(
    lines.flatMap((line, at) => (line.startsWith('.L_') ? [[line.slice(0, -1), at]] : [])),
  )
  // After the last EXIT are blocks that jump back without being loops.
  const end = lines.findLastIndex((line) => line.includes('EXIT'))
  const loops = lines.slice(0, end).flatMap((line, at) => {
    const start = places.get(/ BRA .*`\((\.L_\w+)\)/.exec(line)?.[1])
    return start < at ? [lines.slice(start, at)] : []
  })
  const has = (loop, operation) => loop.some((line) => operation.test(line))
  const hot = loops.filter((loop) => has(loop, / [FD]FMA /) && !has(loop, / BAR\./))
  if (hot.length === 0) throw new Error(`no loops in what nvdisasm prints of ${kernel}`)
  return new Set(hot.flat().filter((line) => /\b(LDL|STL)\b/.test(line))).size
}
