import { inputDimension } from '../../model/architecture.js'
import { purpose } from '../../model/random.js'
import type { Feed } from '../tensorflow/program.js'
import { feed } from '../tensorflow/program.js'
import type { AdamStep } from './adam.js'
import type { Value, Values } from './builder.js'
import type { Ops } from './ops.js'
import type { NetworkSpec, Variables } from './variables.js'

/** Images that a step trains on. */
export interface Batch {
  /** [replicas][batch][inputs], floats. */
  readonly clean: Value
  readonly noisy: Value
}

/** Where in an epoch a step is, and Adam's numbers for it. */
export interface StepPlace {
  readonly epoch: number
  /** Images of the epoch that were trained on before. */
  readonly begin: number
  readonly count: number
  readonly adam: AdamStep
}

/** The numbers of StepPlace in the graph. */
export interface StepNumbers {
  readonly epoch: Value
  readonly begin: Value
  readonly count: Value
  readonly rate: Value
  readonly epsilon: Value
}

/** All that a step is told, as one array: whole numbers, and floats by their bits. It stays in the host's memory. */
export function stepFeed({ epoch, begin, count, adam }: StepPlace): Feed {
  const words = Int32Array.of(epoch, begin, count, 0, 0)
  const floats = new Float32Array(words.buffer)
  floats[3] = adam.rate
  floats[4] = adam.epsilon
  return feed([5], words)
}

export function stepNumbers(ops: Ops, place: Value): StepNumbers {
  return ops.at('host', () => ({
    epoch: ops.element(place, 0),
    begin: ops.element(place, 1),
    count: ops.element(place, 2),
    rate: ops.bitcast(ops.element(place, 3), 'float'),
    epsilon: ops.bitcast(ops.element(place, 4), 'float'),
  }))
}

/**
 * The batch that each replica's own order names, from the resident data set, with the noise that was drawn for it
 * before. The noise of the next batch is drawn beside the step: on the CPU it takes a fourth of its time.
 */
export function residentBatch(ops: Ops, spec: NetworkSpec, variables: Variables, step: StepNumbers): Batch {
  const inputs = inputDimension(spec)
  const [begin, size] = ops.at('host', () => [
    ops.stack([ops.integer(0), step.begin]),
    ops.stack([ops.integer(spec.seeds.length), step.count]),
  ])
  const indices = ops.slice(ops.read(variables.order(), 'int64'), begin!, size!)
  const clean = ops.gather(ops.read(variables.images(inputs), 'float'), indices, 0)
  if (spec.noise === 0) return { clean, noisy: clean }
  const noisy = ops.add(clean, drawnNoise(ops, spec, variables, step))
  drawNoise(ops, spec, variables, { ...step, begin: nextBegin(ops, spec, step) }, [noisy])
  return { clean, noisy }
}

function nextBegin(ops: Ops, { batchSize }: NetworkSpec, { begin }: StepNumbers): Value {
  return ops.at('host', () => ops.add(begin, ops.integer(batchSize)))
}

/** The drawn noise of the batch, which may be shorter than the one it was drawn for. */
function drawnNoise(ops: Ops, spec: NetworkSpec, variables: Variables, { count }: StepNumbers): Value {
  const { seeds, batchSize } = spec
  const inputs = inputDimension(spec)
  const size = ops.at('host', () => ops.stack([ops.integer(seeds.length), count, ops.integer(inputs)]))
  return ops.slice(ops.read(variables.noise(batchSize, inputs), 'float'), ops.integers([0, 0, 0]), size)
}

export function givenBatch({ clean, noisy }: Values): Batch {
  return { clean: clean!, noisy: noisy! }
}

/** Bytes as floats of 0 to 1; floats as they are. */
export function pixels(ops: Ops, images: Value): Value {
  if (images.type === 'float') return images
  return ops.divide(ops.cast(images, 'float'), ops.float(255))
}

/**
 * Draws [replicas][batch][inputs] for the batch at step.begin once the ops of `after` ran. It is named by (seed, epoch,
 * the batch's place in it): other numbers than the native engine's.
 */
export function drawNoise(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  { epoch, begin }: Pick<StepNumbers, 'epoch' | 'begin'>,
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
    ops.bitcast(ops.builder.constant('int32', [1, 2], [seed | 0, purpose.trainingNoise]), 'uint64'),
  )
}
