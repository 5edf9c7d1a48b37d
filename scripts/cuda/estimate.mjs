// Estimates how long cards take, from the instructions that the emulated kernels execute. These are estimates for docs/gpu.md,
// within a factor of two until a card has been measured, and no measurement.
//
//   node scripts/cuda/estimate.mjs
//
// A step is at least its multiply-adds at the card's peak, and at most the instructions of the PTX at 75 % of what the
// schedulers can issue: ptxas merges many of the integer instructions. To both come the barriers of a model's thread blocks.
import { typicalNetwork } from '../../dist/engines/typical-network.js'
import { cards, planOn } from './cards.mjs'
import { instructionsOfStep, sumOf } from './count-instructions.mjs'
import { shippedKernels } from './shipped-kernels.mjs'

const stepsOfEpoch = Math.ceil(60000 / typicalNetwork.batchSize)

// From NVIDIA's data sheets, except for the time of a barrier through the second-level cache, which is an assumption from
// published microbenchmarks (arXiv 2402.13499, 2501.12084).
const estimated = [
  { name: 'H100 SXM, H200', floatLanes: 128, gigahertz: 1.75, barrierMicroseconds: 2 },
  { name: 'A100, 40 or 80 GB', floatLanes: 64, gigahertz: 1.41, barrierMicroseconds: 2.2 },
  { name: 'GeForce RTX 4090', floatLanes: 128, gigahertz: 2.4, barrierMicroseconds: 1.7 },
  { name: 'L4', floatLanes: 128, gigahertz: 1.6, barrierMicroseconds: 2.1 },
].map((facts) => ({ ...cards.find(({ name }) => name === facts.name), ...facts }))
const schedulers = 4
const issued = 0.75

const kernels = shippedKernels()
const counted = new Map()
console.log('card               blocks  models at once  µs a step   s an epoch of one model   of 64 models')
for (const card of estimated) {
  const { options, blocks } = planOn(card, 'none')
  const kernel = kernels.find((each) => each.options.join() === options.join())
  if (!counted.has(kernel.key)) counted.set(kernel.key, instructionsOfStep(kernel).all)
  const atOnce = Math.floor(card.multiprocessors / blocks)
  const rounds = Math.ceil(64 / atOnce)
  const micros = microsecondsOfStep(card, counted.get(kernel.key), blocks)
  const range = (scale, digits) => micros.map((value) => (value * scale).toFixed(digits)).join('–')
  const epoch = stepsOfEpoch * 1e-6
  console.log(
    [
      card.name.padEnd(17),
      String(blocks).padStart(7),
      String(atOnce).padStart(15),
      range(1, 0).padStart(10),
      range(epoch, 3).padStart(25),
      range(epoch * rounds, 2).padStart(14),
    ].join(' '),
  )
}

/** Returns the least and the most microseconds of a step. */
function microsecondsOfStep({ floatLanes, gigahertz, barrierMicroseconds }, counts, blocks) {
  const sum = (accepts) => sumOf(counts, accepts)
  const perBlock = (count) => count / blocks / 32 // instructions of warps
  const cyclesOfFloat = 128 / floatLanes // of a scheduler, for an instruction of a warp
  const floats = perBlock(sum((opcode) => opcode.endsWith('.f32') && /^(fma|add|mul|sub)/.test(opcode)))
  const all = perBlock(sum(() => true))
  const least = (perBlock(counts.get('fma.rn.f32')) * cyclesOfFloat) / schedulers
  const most = (all + floats * (cyclesOfFloat - 1)) / schedulers / issued
  const barriers = (sum((opcode) => opcode.startsWith('red.release')) / blocks) * barrierMicroseconds
  return [least, most].map((cycles) => cycles / gigahertz / 1000 + barriers)
}
