// Estimates how long cards take, from the instructions that the emulated kernels execute. These are estimates for docs/gpu.md,
// within a factor of two until a card has been measured, and no measurement.
//
//   node scripts/cuda/estimate.mjs
//
// A step is at least the workers' multiply-adds at the card's peak, and at most their instructions of the PTX at 75 % of what
// the schedulers can issue: ptxas merges many of the integer instructions. To both come the barriers of a model's thread blocks.
// The ninth warp takes 4 to 6 cycles an instruction, more for one in double on cards with few units for these. The workers
// wait for it if it takes longer than phases 4 to 6 of native/cuda/kernel/core.cu, which have three of the five products of
// the first and the last layer, and three of the eight barriers.
import { typicalNetwork } from '../../dist/engines/typical-network.js'
import { cards, planOn } from './cards.mjs'
import { eigenArm, instructionsOfStep, sumOf } from './count-instructions.mjs'
import { shippedKernels } from './shipped-kernels.mjs'

const stepsOfEpoch = Math.ceil(60000 / typicalNetwork.batchSize)

// From NVIDIA's data sheets, except for the time of a barrier through the second-level cache, which is an assumption from
// published microbenchmarks (arXiv 2402.13499, 2501.12084). `doubleCycles` are those of a warp's instruction in double.
const estimated = [
  { name: 'H100 SXM, H200', floatLanes: 128, doubleCycles: 2, gigahertz: 1.75, barrierMicroseconds: 2 },
  { name: 'A100, 40 or 80 GB', floatLanes: 64, doubleCycles: 4, gigahertz: 1.41, barrierMicroseconds: 2.2 },
  { name: 'GeForce RTX 4090', floatLanes: 128, doubleCycles: 16, gigahertz: 2.4, barrierMicroseconds: 1.7 },
  { name: 'L4', floatLanes: 128, doubleCycles: 16, gigahertz: 1.6, barrierMicroseconds: 2.1 },
].map((facts) => ({ ...cards.find(({ name }) => name === facts.name), ...facts }))
const schedulers = 4
const issued = 0.75
const cyclesOfInstruction = [4, 6] // if no other warp hides its latency
const windowShare = { products: 3 / 5, barriers: 3 / 8 }

const kernels = shippedKernels()
const counted = new Map()
console.log(
  'card              eigen loss  blocks  at once  µs of it  µs a step  s an epoch of one model  of 64 models',
)
for (const card of estimated) {
  const { options, blocks } = planOn(card, 'none')
  const kernel = kernels.find((each) => each.options.join() === options.join())
  if (!counted.has(kernel.key))
    counted.set(kernel.key, {
      without: instructionsOfStep(kernel, {}).all,
      ninthWarp: instructionsOfStep(kernel, eigenArm).ninthWarp,
    })
  const { without, ninthWarp } = counted.get(kernel.key)
  const atOnce = Math.floor(card.multiprocessors / blocks)
  const rounds = Math.ceil(64 / atOnce)
  const plain = microsecondsOfStep(card, without, blocks)
  const eigen = microsecondsOfEigenLoss(card, ninthWarp)
  const waits = plain.map(({ products, barriers }, i) =>
    Math.max(0, eigen[i] - products * windowShare.products - barriers * windowShare.barriers),
  )
  const range = (values, scale, digits) => values.map((value) => (value * scale).toFixed(digits)).join('–')
  for (const hasEigenLoss of [false, true]) {
    const steps = plain.map(
      ({ products, barriers }, i) => products + barriers + (hasEigenLoss ? waits[i] : 0),
    )
    const epoch = stepsOfEpoch * 1e-6
    console.log(
      [
        card.name.padEnd(17),
        (hasEigenLoss ? 'top-k' : 'none').padStart(10),
        String(blocks).padStart(7),
        String(atOnce).padStart(8),
        (hasEigenLoss ? range(eigen, 1, 0) : '').padStart(9),
        range(steps, 1, 0).padStart(10),
        range(steps, epoch, 3).padStart(24),
        range(steps, epoch * rounds, 2).padStart(13),
      ].join(' '),
    )
  }
}

/** Returns the least and the most microseconds that the ninth warp needs in a step. */
function microsecondsOfEigenLoss({ doubleCycles, gigahertz }, counts) {
  const inDouble = sumOf(
    counts,
    (opcode) => opcode.includes('f64') && !/^(ld|st|mov|selp|neg)\b/.test(opcode),
  )
  return cyclesOfInstruction.map(
    (cycles) =>
      ((sumOf(counts) - inDouble) * cycles + inDouble * Math.max(cycles, doubleCycles)) / gigahertz / 1000,
  )
}

/** Returns the least and the most microseconds of a step: { products, barriers }, of which the first are all instructions. */
function microsecondsOfStep({ floatLanes, gigahertz, barrierMicroseconds }, counts, blocks) {
  const sum = (accepts) => sumOf(counts, accepts)
  const perBlock = (count) => count / blocks / 32 // instructions of warps
  const cyclesOfFloat = 128 / floatLanes // of a scheduler, for an instruction of a warp
  const floats = perBlock(sum((opcode) => opcode.endsWith('.f32') && /^(fma|add|mul|sub)/.test(opcode)))
  const all = perBlock(sum(() => true))
  const least = (perBlock(counts.get('fma.rn.f32')) * cyclesOfFloat) / schedulers
  const most = (all + floats * (cyclesOfFloat - 1)) / schedulers / issued
  const barriers = (sum((opcode) => opcode.startsWith('red.release')) / blocks) * barrierMicroseconds
  return [least, most].map((cycles) => ({ products: cycles / gigahertz / 1000, barriers }))
}
