// Counts what the kernel executes in a training step of the default network: the compiled PTX runs on the emulation
// (native/cuda/emulation), which counts. It checks that the fused multiply-adds are those that the network's products need: a
// compiler that drops a part of the kernel, as it may if the source is undefined, shows here.
//
//   node scripts/cuda/count-instructions.mjs
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { typicalNetwork } from '../../dist/engines/self-check.js'
import { compileStandIn } from '../../native/cuda/emulation/compile.mjs'
import { readPtx } from '../../native/cuda/emulation/read-ptx.mjs'
import { segmentsOf } from '../../native/cuda/emulation/translate-ptx.mjs'
import { readShipped, shippedKernels } from './shipped-kernels.mjs'

const root = join(import.meta.dirname, '../..')

/** The loss of the experiment's eigen arm. */
export const eigenArm = { eigen: { kind: 'top-k', k: 2, weight: 1 } }

/**
 * Returns maps opcode → executions in one step of a model with the `loss` of a config: by `all` threads, by a `worker` and by a
 * thread of the `ninthWarp`, which computes eigen losses.
 */
export function instructionsOfStep(kernel, loss) {
  const segments = segmentsOf(readPtx(readShipped(kernel)))
  // A launch has instructions outside its steps, and a run has the check of the kernel. Both cancel out.
  const few = executions(kernel, loss, 2)
  const many = executions(kernel, loss, 6)
  const [all, worker, ninthWarp] = [0, 1, 2].map((part) => {
    const counts = new Map()
    for (const [index, { kernel: name, instructions }] of segments.entries()) {
      if (name !== 'train') continue
      const at = part * segments.length + index
      const perStep = (many[at] - few[at]) / 4
      for (const { opcode } of instructions) counts.set(opcode, (counts.get(opcode) ?? 0) + perStep)
    }
    return counts
  })
  return { all, worker, ninthWarp }
}

/** Trains the given number of steps and returns the numbers of $EIGENAE_SEGMENT_COUNTS (segmentsOf). */
function executions({ sharedBytes }, loss, steps) {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-count-'))
  try {
    const config = join(folder, 'config.json')
    writeFileSync(
      config,
      JSON.stringify({ name: 'counted', loss, data: { limit: steps * typicalNetwork.batchSize } }),
    )
    const counts = join(folder, 'counts')
    const env = {
      ...process.env,
      EIGENAE_CUDA: 'core',
      EIGENAE_LIBCUDA: join(compileStandIn(), 'libcuda.so.1'),
      EIGENAE_STAND_IN: `shared=${sharedBytes}`, // a card that gets this kernel
      EIGENAE_SEGMENT_COUNTS: counts,
    }
    const args = ['bin/eigenae.js', 'train', '--config', config, '--epochs', '1', '--device', 'cuda']
    const { status, stderr } = spawnSync(process.execPath, [...args, '--out', join(folder, 'run')], {
      ...{ cwd: root, env, encoding: 'utf8' },
    })
    if (status !== 0) throw new Error(stderr)
    return Array.from(new BigUint64Array(new Uint8Array(readFileSync(counts)).buffer), Number)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Returns the executions of the opcodes that `accepts` selects. */
export function sumOf(counts, accepts = () => true) {
  return [...counts].reduce((total, [opcode, count]) => total + (accepts(opcode) ? count : 0), 0)
}

/** Returns the multiply-adds of all products of a step: forward, and backward for weights and, but in the first layer, inputs. */
export function productsOfStep({ widths, batchSize }) {
  const all = [...widths, ...widths.slice(0, -1).reverse()]
  const sizes = all.slice(1).map((width, layer) => all[layer] * width)
  const sum = sizes.reduce((total, size) => total + size, 0)
  return batchSize * (3 * sum - sizes[0])
}

if (process.argv[1] === import.meta.filename) {
  const [kernel] = shippedKernels()
  const { all, worker, ninthWarp } = instructionsOfStep(kernel, eigenArm)
  const print = (count, text) => console.log(`${Math.round(count).toString().padStart(12)}  ${text}`)
  for (const [opcode, count] of [...all].sort(([, a], [, b]) => b - a).slice(0, 20)) print(count, opcode)
  const executed = all.get('fma.rn.f32')
  const needed = productsOfStep(typicalNetwork)
  print(sumOf(all), 'instructions of all threads in a step')
  print(sumOf(worker), 'of the first worker')
  print(sumOf(ninthWarp), 'of the first thread of the ninth warp, which computes the eigen loss')
  print(
    sumOf(ninthWarp, (opcode) => opcode.includes('.f64')),
    'of these in double',
  )
  console.log(`${executed / needed} of the multiply-adds that the products need`)
  // Padding of pixels and units, and functions such as the logarithm, are the rest.
  if (!(executed >= needed && executed < 1.25 * needed)) {
    console.error(`a step executes ${executed} fused multiply-adds; its products need ${needed}`)
    process.exitCode = 1
  }
}
