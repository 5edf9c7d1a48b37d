import { inputDimension, layersOf } from '../../model/architecture.js'
import { purpose } from '../../model/random.js'
import { learningRateAt } from '../../model/schedule.js'
import type { AdamSpec, OptimizerSpec } from '../engine.js'
import { eigenLossTerms } from './eigen-losses.js'
import { type Feed, feed, type Op, type Value } from './graph.js'
import {
  backward,
  forward,
  type LayerGradients,
  type LayerPass,
  layerMatrix,
  updateStatistics,
} from './layers.js'
import type { Ops } from './ops.js'
import type { Network, StateTensor } from './variables.js'

/** Indices of the eigen losses that a step computes, ascending. */
export type ActiveTerms = readonly number[]

/**
 * One step of training: forward, backward, optimiser, averages. Returns [1 + 2 · active][replicas]: the mean squared error,
 * then the unweighted and the weighted value of each active eigen loss.
 */
export function trainingStep(network: Network, batch: Batch, step: StepInGraph, active: ActiveTerms): Value {
  const { ops, spec } = network
  const values = network.layers((tensor) => ops.read(network.handle(tensor), 'float'))
  const passes = forward(ops, layersOf(spec), values, batch.noisy)
  const chosen = active.map((index) => ({ spec: spec.eigenLosses[index]!, weight: step.weights[index]! }))
  const { losses, gradients } = eigenLossTerms(ops, chosen, {
    at: (position) => layerMatrix(ops, passes, position),
    widths: passes.map(({ layer }) => layer.outputs),
    count: ops.at('host', () => ops.cast(step.count, 'double')),
    largestBatch: spec.batchSize,
  })
  const count = ops.at('host', () => ops.cast(step.count, 'float'))
  const output = passes.at(-1)!.output
  const { error, gradient } = squaredError(ops, output, batch.clean, count, inputDimension(spec))
  updateParameters(network, step, backward(ops, passes, gradient, gradients))
  assignStatistics(network, step, passes, count)
  return ops.stack([error, ...losses.flatMap(({ value, weighted }) => [value, weighted])])
}

/** Returns mean((y − x)²) [replicas], and its gradient at y. */
function squaredError(ops: Ops, output: Value, clean: Value, count: Value, inputs: number) {
  const elements = ops.multiply(count, ops.float(inputs))
  const difference = ops.subtract(output, clean)
  const error = ops.divide(ops.reshape(ops.sum(ops.square(difference), [1, 2]), [-1]), elements)
  return { error, gradient: ops.multiply(difference, ops.divide(ops.float(2), elements)) }
}

function updateParameters(network: Network, step: StepInGraph, layers: readonly LayerGradients[]): void {
  for (const tensor of network.tensorsOf('parameters')) {
    const { gradients, after } = layers[network.positionOf(tensor)]!
    const updated = updateParameter(network, step, tensor, gradients[tensor.kind]!, after)
    average(network, tensor, () => network.ops.read(network.handle(tensor), 'float', [updated]), step)
  }
}

/**
 * Updates a parameter and its moments in place once the ops of `after`, which read the parameter, have run. SGD's buffer of the
 * momentum is the first moment.
 */
function updateParameter(
  network: Network,
  { rate, epsilon, decay }: StepInGraph,
  tensor: StateTensor,
  gradient: Value,
  after: readonly Op[],
): Op {
  const { ops } = network
  const { optimizer } = network.spec
  const [parameter, first, second] = (['parameters', 'firstMoments', 'secondMoments'] as const).map((part) =>
    network.handle({ ...tensor, part }),
  ) as [Value, Value, Value]
  const attributes = { T: { type: 'float' as const }, use_locking: false }
  if (optimizer.kind === 'sgd') {
    const inputs = [parameter, first, rate, gradient, ops.float(optimizer.momentum)]
    const ofMomentum = { ...attributes, use_nesterov: optimizer.nesterov }
    return ops.effect('ResourceApplyMomentum', inputs, ofMomentum, after)
  }
  // Decoupled weight decay: Loshchilov and Hutter, 2019 (AdamW).
  const decays = weightDecayOf(optimizer) !== 0 && tensor.kind === 'weight'
  const decayed = () => ops.multiply(ops.read(parameter, 'float', after), decay)
  const before = decays ? [ops.assign(parameter, decayed())] : after
  const { beta1, beta2 } = optimizer
  // A power of 0 switches the op's own bias correction off.
  const power = ops.float(0)
  const numbers = [power, power, rate, ops.float(beta1), ops.float(beta2), epsilon]
  const inputs = [parameter, first, second, ...numbers, gradient]
  return ops.effect('ResourceApplyAdam', inputs, { ...attributes, use_nesterov: false }, before)
}

function assignStatistics(
  network: Network,
  step: StepInGraph,
  passes: readonly LayerPass[],
  count: Value,
): void {
  const { ops } = network
  const updated = passes.map(
    ({ moments, values }) => moments && updateStatistics(ops, moments, values, count),
  )
  for (const tensor of network.tensorsOf('runningStatistics')) {
    const statistics = updated[network.positionOf(tensor)]!
    const value = statistics[tensor.kind as keyof typeof statistics]
    ops.assign(network.handle(tensor), value)
    average(network, tensor, () => value, step)
  }
}

/**
 * average ← value + kept · (average − value), which with 0 is exactly a copy and keeps an average of equal values. Adds
 * nothing if there are no averages.
 */
function average(network: Network, tensor: StateTensor, read: () => Value, { kept }: StepInGraph): void {
  const { ops } = network
  const averaged = network.averaged(tensor)
  if (averaged === null) return
  const value = read()
  const handle = network.handle(averaged)
  const difference = ops.subtract(ops.read(handle, 'float'), value)
  ops.assign(handle, ops.add(value, ops.multiply(kept, difference)))
}

/** The images of a step, [replicas][batch][inputs] each, floats. */
interface Batch {
  readonly clean: Value
  readonly noisy: Value
}

/** The numbers that change from step to step. */
export interface Step extends OptimizerStep {
  readonly epoch: number
  /** Images of the epoch before this batch. */
  readonly begin: number
  /** Images of this batch. */
  readonly count: number
  /** The weight of each eigen loss of the spec. */
  readonly weights: readonly number[]
}

/** The same numbers in the graph, scalars in the host's memory. */
interface StepInGraph extends Readonly<Record<keyof OptimizerStep, Value>> {
  readonly epoch: Value
  readonly begin: Value
  readonly count: Value
  /** Doubles. */
  readonly weights: readonly Value[]
}

const integers = ['epoch', 'begin', 'count'] as const
const floats = ['rate', 'epsilon', 'decay', 'kept'] as const
/** 32-bit words before the weights: an even number, because a double is two. */
const wordsBeforeWeights = 8

/** Packs a step into one array, so that a call feeds one tensor: three integers, then the bits of floats and doubles. */
export function stepFeed(step: Step): Feed {
  const words = new Int32Array(wordsBeforeWeights + 2 * step.weights.length)
  words.set(integers.map((name) => step[name]))
  new Float32Array(words.buffer, 4 * integers.length).set(floats.map((name) => step[name]))
  new Float64Array(words.buffer, 4 * wordsBeforeWeights).set(step.weights)
  return feed([words.length], words)
}

/** Returns the numbers in stepFeed's array. */
export function readStep({ ops, spec }: Network, packed: Value): StepInGraph {
  return ops.at('host', () => {
    const [epoch, begin, count] = integers.map((_, i) => ops.element(packed, i))
    const [rate, epsilon, decay, kept] = floats.map((_, i) =>
      ops.bitcast(ops.element(packed, integers.length + i), 'float'),
    )
    const weights = spec.eigenLosses.map((_, i) => {
      const [first, length] = [ops.integers([wordsBeforeWeights + 2 * i]), ops.integers([2])]
      return ops.bitcast(ops.slice(packed, first, length), 'double')
    })
    return {
      ...{ epoch: epoch!, begin: begin!, count: count! },
      ...{ rate: rate!, epsilon: epsilon!, decay: decay!, kept: kept! },
      weights,
    }
  })
}

/**
 * Returns the batch that each replica's own order names from the data set, with the noise that the step before drew for
 * it. Draws the noise of the next batch beside the step: on the CPU, drawing takes a quarter of a step's time.
 */
export function residentBatch(network: Network, step: StepInGraph): Batch {
  const { ops, spec } = network
  const [start, size] = ops.at('host', () => [
    ops.stack([ops.integer(0), step.begin]),
    ops.stack([ops.integer(spec.seeds.length), step.count]),
  ])
  const indices = ops.slice(ops.read(network.order(), 'int64'), start!, size!)
  const clean = ops.gather(ops.read(network.images(), 'float'), indices, 0)
  if (spec.noise === 0) return { clean, noisy: clean }
  // The batch may be shorter than the one that its noise was drawn for.
  const drawn = ops.at('host', () =>
    ops.stack([ops.integer(spec.seeds.length), step.count, ops.integer(inputDimension(spec))]),
  )
  const noise = ops.slice(ops.read(network.noise(), 'float'), ops.integers([0, 0, 0]), drawn)
  const noisy = ops.add(clean, noise)
  const nextBegin = ops.at('host', () => ops.add(step.begin, ops.integer(spec.batchSize)))
  drawNoise(network, { ...step, begin: nextBegin }, [noisy])
  return { clean, noisy }
}

/**
 * Draws the noise of the batch at step.begin, [replicas][batch][inputs], once the ops of `after` have run. It is named by
 * seed, epoch and begin. The numbers differ from the native engine's; their distribution is the same.
 */
export function drawNoise(
  network: Network,
  { epoch, begin }: StepInGraph,
  after: readonly Value[] = [],
): void {
  const { ops, spec } = network
  const { seeds, noise, batchSize } = spec
  const counter = ops.at('host', () => {
    const zero = ops.integer(0)
    return ops.bitcast(ops.reshape(ops.stack([zero, zero, begin, epoch]), [2, 2]), 'uint64')
  })
  const shape = ops.integers([batchSize, inputDimension(spec)])
  const normals = seeds.map((seed) => ops.normals(shape, noiseKey(ops, seed), counter))
  const scaled = ops.multiply(ops.stack(normals), ops.float(noise))
  ops.assign(network.noise(), scaled, after)
}

function noiseKey(ops: Ops, seed: number): Value {
  return ops.at('host', () =>
    ops.bitcast(ops.constant('int32', [1, 2], [seed | 0, purpose.trainingNoise]), 'uint64'),
  )
}

/** The optimiser's numbers that change from step to step. */
interface OptimizerStep {
  readonly rate: number
  /** Adam's ε; 0 for SGD. */
  readonly epsilon: number
  /** The factor of the weights before they are updated: 1 without weight decay. */
  readonly decay: number
  /** Share of the old averages in the new ones. */
  readonly kept: number
}

/**
 * Returns the numbers of a step, counted from 0. Adam's have PyTorch's bias corrections included: TensorFlow's op
 * corrects only the rate, from powers of β in single precision, and not ε; its own correction is switched off. β is rounded
 * to single precision first, as the op rounds it: this corrects the relative error of 1.3e-5 that 1 − β₂ has there.
 */
export function optimizerStep(optimizer: OptimizerSpec, step: number): OptimizerStep {
  const rate = learningRateAt(optimizer, step)
  const kept = step === 0 ? 0 : (optimizer.averaging?.decay ?? 0)
  if (optimizer.kind === 'sgd') return { rate, epsilon: 0, decay: 1, kept }
  const { beta1, beta2, epsilon } = optimizer
  const root = Math.sqrt(1 - Math.fround(beta2) ** (step + 1))
  return {
    rate: (rate * root) / (1 - Math.fround(beta1) ** (step + 1)),
    epsilon: epsilon * root,
    decay: 1 - rate * weightDecayOf(optimizer),
    kept,
  }
}

function weightDecayOf(optimizer: AdamSpec): number {
  return optimizer.kind === 'adamw' ? optimizer.weightDecay : 0
}
