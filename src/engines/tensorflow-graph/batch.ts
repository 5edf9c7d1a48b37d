import { inputDimension } from '../../model/architecture.js'
import { purpose } from '../../model/random.js'
import { type Feed, feed, type Value } from './graph.js'
import type { Ops } from './ops.js'
import type { OptimizerStep, OptimizerStepValues } from './optimizer.js'
import type { NetworkSpec, Variables } from './variables.js'

/** The images of a step, [replicas][batch][inputs] each, floats. */
export interface Batch {
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
  /** Share of the old averages in the new ones. */
  readonly kept: number
  /** The weight of each eigen loss of the spec. */
  readonly weights: readonly number[]
}

/** The same numbers in the graph, scalars in the host's memory. */
export interface StepValues extends OptimizerStepValues {
  readonly epoch: Value
  readonly begin: Value
  readonly count: Value
  readonly kept: Value
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

/** Unpacks stepFeed's array. */
export function stepValues(ops: Ops, { eigenLosses }: NetworkSpec, packed: Value): StepValues {
  return ops.at('host', () => {
    const [epoch, begin, count] = integers.map((_, i) => ops.element(packed, i))
    const [rate, epsilon, decay, kept] = floats.map((_, i) =>
      ops.bitcast(ops.element(packed, integers.length + i), 'float'),
    )
    const weights = eigenLosses.map((_, i) => {
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
export function residentBatch(ops: Ops, spec: NetworkSpec, variables: Variables, step: StepValues): Batch {
  const inputs = inputDimension(spec)
  const [start, size] = ops.at('host', () => [
    ops.stack([ops.integer(0), step.begin]),
    ops.stack([ops.integer(spec.seeds.length), step.count]),
  ])
  const indices = ops.slice(ops.read(variables.order(), 'int64'), start!, size!)
  const clean = ops.gather(ops.read(variables.images(inputs), 'float'), indices, 0)
  if (spec.noise === 0) return { clean, noisy: clean }
  const noisy = ops.add(clean, drawnNoise(ops, spec, variables, step))
  const nextBegin = ops.at('host', () => ops.add(step.begin, ops.integer(spec.batchSize)))
  drawNoise(ops, spec, variables, { ...step, begin: nextBegin }, [noisy])
  return { clean, noisy }
}

/** Returns the drawn noise of the batch, which may be shorter than the batch that it was drawn for. */
function drawnNoise(ops: Ops, spec: NetworkSpec, variables: Variables, { count }: StepValues): Value {
  const { seeds, batchSize } = spec
  const inputs = inputDimension(spec)
  const size = ops.at('host', () => ops.stack([ops.integer(seeds.length), count, ops.integer(inputs)]))
  return ops.slice(ops.read(variables.noise(batchSize, inputs), 'float'), ops.integers([0, 0, 0]), size)
}

/**
 * Draws the noise of the batch at step.begin, [replicas][batch][inputs], once the ops of `after` have run. It is named by
 * seed, epoch and begin. The numbers differ from the native engine's; their distribution is the same.
 */
export function drawNoise(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  { epoch, begin }: Pick<StepValues, 'epoch' | 'begin'>,
  after: readonly Value[] = [],
): void {
  const { seeds, noise, batchSize } = spec
  const inputs = inputDimension(spec)
  const counter = ops.at('host', () => {
    const zero = ops.integer(0)
    return ops.bitcast(ops.reshape(ops.stack([zero, zero, begin, epoch]), [2, 2]), 'uint64')
  })
  const shape = ops.integers([batchSize, inputs])
  const normals = seeds.map((seed) => ops.normals(shape, noiseKey(ops, seed), counter))
  const scaled = ops.multiply(ops.stack(normals), ops.float(noise))
  ops.assign(variables.noise(batchSize, inputs), scaled, after)
}

function noiseKey(ops: Ops, seed: number): Value {
  return ops.at('host', () =>
    ops.bitcast(ops.graph.constant('int32', [1, 2], [seed | 0, purpose.trainingNoise]), 'uint64'),
  )
}
