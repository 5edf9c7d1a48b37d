// Estimates how long cards take, from the instructions that the emulated kernels execute. These are estimates for docs/gpu.md,
// and no measurement.
//
//   node scripts/cuda/estimate.mjs
//
// A step is at least the workers' multiply-adds at the card's peak, and at most their instructions of the PTX at 75 % of what
// the schedulers can issue: ptxas merges many of the integer instructions. To both come the barriers of a model's thread blocks.
// The ninth warp takes longer for an instruction in double on cards with few units for these. The workers wait for it if it
// takes longer than phases 4 to 6 of native/cuda/kernel/core.cu, which have three of the five products of the first and the
// last layer, and three of the eight barriers.
//
// An estimate takes the middle of each assumption. The printed ± is half of the difference that an assumption makes from its
// least to its greatest value: the root of the sum of squares over the assumptions, which are independent.
import { typicalNetwork } from '../../dist/engines/self-check.js'
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
const windowShare = { products: 3 / 5, barriers: 3 / 8 }
const assumptions = {
  productsOfMost: [0, 1], // from the multiply-adds alone to all instructions
  barrierScale: [0.7, 1.3],
  cyclesOfInstruction: [4, 6], // the ninth warp's, if no other warp hides its latency
  doubleScale: [1, 2], // from independent instructions in double to some that wait for each other
}
const middle = Object.fromEntries(
  Object.entries(assumptions).map(([name, [low, high]]) => [name, (low + high) / 2]),
)

const kernels = shippedKernels()
const counted = new Map()
console.log(
  'card              eigen loss  blocks  at once  µs of it  µs a step  s an epoch of one model  of 64 models    ±',
)
for (const card of estimated) {
  const { options, blocks } = planOn(card, 'none')
  const kernel = kernels.find((each) => each.options.join() === options.join())
  if (!counted.has(kernel.key))
    counted.set(kernel.key, {
      workers: instructionsOfStep(kernel, {}).all,
      ninthWarp: instructionsOfStep(kernel, eigenArm).ninthWarp,
    })
  const counts = counted.get(kernel.key)
  const atOnce = Math.floor(card.multiprocessors / blocks)
  for (const hasEigenLoss of [false, true]) {
    const microseconds = (assumed) =>
      microsecondsOfStep(card, counts, blocks, hasEigenLoss, { ...middle, ...assumed })
    const step = microseconds({})
    const differences = Object.entries(assumptions).map(
      ([name, [low, high]]) => (microseconds({ [name]: high }) - microseconds({ [name]: low })) / 2,
    )
    const epoch = step * stepsOfEpoch * 1e-6
    console.log(
      [
        card.name.padEnd(17),
        (hasEigenLoss ? 'top-k' : 'none').padStart(10),
        String(blocks).padStart(7),
        String(atOnce).padStart(8),
        (hasEigenLoss ? microsecondsOfEigenLoss(card, counts.ninthWarp, middle).toFixed(0) : '').padStart(9),
        step.toFixed(0).padStart(10),
        epoch.toFixed(3).padStart(24),
        (epoch * Math.ceil(64 / atOnce)).toFixed(2).padStart(13),
        `${((100 * Math.hypot(...differences)) / step).toFixed(0)} %`.padStart(5),
      ].join(' '),
    )
  }
}

/** Returns the microseconds of a step under the `assumed` values, with the wait for the ninth warp if it has an eigen loss. */
function microsecondsOfStep(card, { workers, ninthWarp }, blocks, hasEigenLoss, assumed) {
  const products = microsecondsOfProducts(card, workers, blocks, assumed)
  const barriers =
    (sumOf(workers, (opcode) => opcode.startsWith('red.release')) / blocks) *
    card.barrierMicroseconds *
    assumed.barrierScale
  if (!hasEigenLoss) return products + barriers
  const window = products * windowShare.products + barriers * windowShare.barriers
  return products + barriers + Math.max(0, microsecondsOfEigenLoss(card, ninthWarp, assumed) - window)
}

/** Returns the microseconds that the ninth warp needs in a step. */
function microsecondsOfEigenLoss(
  { doubleCycles, gigahertz },
  counts,
  { cyclesOfInstruction: cycles, doubleScale },
) {
  const inDouble = sumOf(
    counts,
    (opcode) => opcode.includes('f64') && !/^(ld|st|mov|selp|neg)\b/.test(opcode),
  )
  return (
    ((sumOf(counts) - inDouble) * cycles + inDouble * Math.max(cycles, doubleCycles * doubleScale)) /
    gigahertz /
    1000
  )
}

/** Returns the microseconds of a step without its barriers: the products and the instructions around them. */
function microsecondsOfProducts({ floatLanes, gigahertz }, counts, blocks, { productsOfMost }) {
  const perBlock = (count) => count / blocks / 32 // instructions of warps
  const cyclesOfFloat = 128 / floatLanes // of a scheduler, for an instruction of a warp
  const floats = perBlock(
    sumOf(counts, (opcode) => opcode.endsWith('.f32') && /^(fma|add|mul|sub)/.test(opcode)),
  )
  const least = (perBlock(counts.get('fma.rn.f32')) * cyclesOfFloat) / schedulers
  const most = (perBlock(sumOf(counts)) + floats * (cyclesOfFloat - 1)) / schedulers / issued
  return (least + productsOfMost * (most - least)) / gigahertz / 1000
}
