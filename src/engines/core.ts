import { compileFormula } from '../formulas/program.js'
import { tapeOf } from '../formulas/tape.js'
import { innerWidths, inputDimension, latentDimension, layersOf } from '../model/architecture.js'
import { epochOrder } from '../model/random.js'
import { learningRateAt, scheduledValue } from '../model/schedule.js'
import { initialState, stateOf, statePartsOf, type TrainerState } from '../model/state.js'
import type {
  EpochProgress,
  Images,
  Losses,
  NoiseField,
  OptimizerSpec,
  Trainer,
  TrainerSpec,
} from './engine.js'

/**
 * A trainer of the C++ core in native/, compiled to an addon or to WebAssembly, or of the CUDA core, on the images given at
 * its creation. Specs, states and losses are arrays of numbers, which native/core/codec.h describes.
 * Every call that computes runs off the JavaScript thread, one call at a time: the caller awaits a promise before the
 * next call. Arguments are copied.
 */
export interface CoreTrainer {
  setState(step: number, numbers: Float32Array): void | Promise<void>
  /** @param into shared memory, which receives the state */
  getState(into: Float32Array): void | Promise<void>
  /** The number of steps taken. */
  step(): number
  /** @param values of `stepValues`, for as many steps as `order` has batches */
  trainEpoch(order: Uint32Array, epoch: number, values: Float64Array): Promise<Float64Array>
  /** @param values of one step */
  trainBatch(clean: Float32Array, noisy: Float32Array, values: Float64Array): Promise<Float64Array>
  encode(images: Images): Promise<Float32Array>
  /**
   * Returns the mean squared error without noise, or NaN unless it is wanted.
   * @param rows the number of first images whose linear outputs are wanted
   * @param into shared memory, which receives the embedding [count][latent] and the linear outputs of the hidden layers, a
   * matrix [rows][width] for each, one after another
   */
  inspect(images: Images, rows: number, withError: boolean, into: Float32Array): Promise<number>
  reconstruct(images: Images): Promise<Float32Array>
  meanSquaredError(images: Images, noise: NoiseField | null): Promise<number>
  /** The progress of the current epoch, or of the last one: the images that were trained on, and the sum of their losses. */
  progress(): { readonly images: number; readonly loss: number }
  /** Ends the current call within about a second; its result is then meaningless. */
  stop(): void
  /** Ends the trainer's threads and frees its memory; the current call is rejected, every later call throws. */
  dispose(): void | Promise<void>
}

/** The activations of the hidden layers, in the order of `Activation` in native/core/activation.h. */
const activations = ['relu', 'leaky-relu', 'silu'] as const

export type CoreSpec = ReturnType<typeof coreSpec>

/** Returns a spec as the core needs it: with flags and widths for each layer, and a tape for each eigen loss and layer. */
export function coreSpec(spec: TrainerSpec) {
  const { widths, optimizer, batchSize, seed, noise, threads } = spec
  const inner = layersOf(spec).slice(0, -1)
  const hidden = inner.find(({ activation }) => activation !== 'linear')
  const layerWidths = innerWidths(widths)
  return {
    ...{ widths, batchSize, seed, noise, threads },
    optimizer: optimizerNumbers(optimizer),
    averaging: optimizer.averaging?.decay ?? -1,
    batchNorm: inner.map(({ batchNorm }) => batchNorm),
    activation: (hidden?.activation ?? 'relu') as (typeof activations)[number],
    slope: hidden?.slope ?? 0,
    eigenLosses: spec.eigenLosses.map(({ formula, layers, minimumImages }) => ({
      ...{ layers, minimumImages, center: formula.center },
      tapes: layers.map((layer) => tapeOf(compileFormula(formula, layerWidths[layer]!))),
    })),
  }
}

/** Returns the numbers that `decodeOptimizer` in native/core/optimizer_step.cc reads. */
function optimizerNumbers(optimizer: OptimizerSpec): readonly number[] {
  if (optimizer.kind === 'sgd') return [1, optimizer.momentum, Number(optimizer.nesterov), 0, 0]
  const { beta1, beta2, epsilon } = optimizer
  return [0, beta1, beta2, epsilon, optimizer.kind === 'adamw' ? optimizer.weightDecay : 0]
}

/** Returns the numbers that `decodeSpec` in native/core/codec.cc reads. */
export function encodeSpec(spec: TrainerSpec): Float64Array {
  const { widths, averaging, batchSize, seed, noise, threads, optimizer, ...layers } = coreSpec(spec)
  const activation = 1 + activations.indexOf(layers.activation)
  const eigenLosses = layers.eigenLosses.map(({ center, minimumImages, layers, tapes }) => [
    ...[Number(center), minimumImages, layers.length],
    ...layers.flatMap((layer, i) => {
      const { words, constants } = tapes[i]!
      return [layer, words.length, ...words, constants.length, ...constants]
    }),
  ])
  return Float64Array.from([
    ...[batchSize, seed, noise, threads, averaging, ...optimizer],
    ...[activation, layers.slope, widths.length, ...widths, ...layers.batchNorm.map(Number)],
    ...[eigenLosses.length, ...eigenLosses.flat()],
  ])
}

/**
 * Returns the numbers of `steps` steps from the given one on, counted from 0: their learning rates, then the weights of the eigen
 * losses, [steps][eigen losses].
 */
export function stepValues(
  { optimizer, eigenLosses }: Pick<TrainerSpec, 'optimizer' | 'eigenLosses'>,
  first: number,
  steps: number,
): Float64Array {
  const values = new Float64Array(steps * (1 + eigenLosses.length))
  for (let i = 0; i < steps; i++) {
    values[i] = learningRateAt(optimizer, first + i)
    for (const [term, { weight }] of eigenLosses.entries())
      values[steps + i * eigenLosses.length + term] = scheduledValue(weight, first + i)
  }
  return values
}

/** Returns a state's arrays one after another. */
export function encodeState(spec: TrainerSpec, state: TrainerState): Float32Array {
  const parts = statePartsOf(spec)
  const numbers = new Float32Array(sum(parts.map(({ length }) => length)))
  let end = 0
  for (const { part, length } of parts) {
    numbers.set(state[part], end)
    end += length
  }
  return numbers
}

/** The inverse of encodeState: views, not copies. */
export function decodeState(spec: TrainerSpec, step: number, numbers: Float32Array): TrainerState {
  let end = 0
  return stateOf(spec, step, ({ length }) => {
    end += length
    return numbers.subarray(end - length, end)
  })
}

/**
 * Returns the means of the sums over images that an engine adds up: the loss, the squared error and the number of images,
 * then for each eigen loss its value, its weighted value and the number of images of the batches that had it.
 */
export function meanLosses(sums: Float64Array): Losses {
  const [loss, squaredError, images] = sums as unknown as [number, number, number]
  const terms = Array.from({ length: sums.length / 3 - 1 }, (_, i) => {
    const [value, weighted, count] = sums.subarray(3 * (i + 1)) as unknown as [number, number, number]
    return { value: count === 0 ? Number.NaN : value / count, weighted: meanLoss(weighted, count) }
  })
  return { loss: meanLoss(loss, images), mse: meanLoss(squaredError, images), terms }
}

/** Returns the mean of a loss over images, for the rows of a run and for its progress alike; 0 if there are none. */
function meanLoss(sum: number, images: number): number {
  return images === 0 ? 0 : sum / images
}

const progressMilliseconds = 100

/** Wraps a trainer of the core as the Trainer of the engine interface, from the seed's initial state on. */
export async function coreBackedTrainer(
  core: CoreTrainer,
  spec: TrainerSpec,
  images: Uint8Array,
): Promise<Trainer> {
  const importState = async (state: TrainerState) => core.setState(state.step, encodeState(spec, state))
  await importState(initialState(spec, spec.seed))
  const count = images.length / inputDimension(spec)
  const orderOf = (epoch: number) => ({ epoch, order: epochOrder(spec.seed, epoch, count) })
  let prepared: ReturnType<typeof orderOf> | undefined
  return {
    trainEpoch: async (epoch, onProgress, signal) => {
      const { order } = prepared?.epoch === epoch ? prepared : orderOf(epoch)
      const values = stepValues(spec, core.step(), Math.ceil(count / spec.batchSize))
      const train = () => withProgress(core, onProgress, () => core.trainEpoch(order, epoch, values))
      const losses = withSignal(core, signal, train)
      prepared = orderOf(epoch + 1) // while this epoch trains
      return meanLosses(await losses)
    },
    trainBatch: async (clean, noisy) =>
      meanLosses(await core.trainBatch(clean, noisy, stepValues(spec, core.step(), 1))),
    encode: (input, signal) => withSignal(core, signal, () => core.encode(input)),
    inspect: async (input, rows, withError, signal, reused) => {
      const count = input.length / inputDimension(spec)
      const lengths = [count * latentDimension(spec), ...hiddenWidths(spec).map((width) => rows * width)]
      const into = sharedFloats(sum(lengths), reused?.embedding)
      const mse = await withSignal(core, signal, () => core.inspect(input, rows, withError, into))
      const [embedding, ...linearOutputs] = split(into, lengths)
      return { embedding: embedding!, linearOutputs, mse }
    },
    reconstruct: (input) => core.reconstruct(input),
    meanSquaredError: (input, noise, signal) =>
      withSignal(core, signal, () => core.meanSquaredError(input, noise)),
    exportState: async (reused) => {
      const into = sharedFloats(sum(statePartsOf(spec).map(({ length }) => length)), reused?.parameters)
      await core.getState(into)
      return decodeState(spec, core.step(), into)
    },
    importState,
    dispose: async () => core.dispose(),
  }
}

/**
 * Returns memory that the addon uses in place: that of `earlier` if it is of this length, so that an epoch leaves no garbage of
 * megabytes.
 */
function sharedFloats(length: number, earlier: Float32Array | undefined): Float32Array {
  const buffer = earlier?.buffer
  const fits = buffer instanceof SharedArrayBuffer && buffer.byteLength === 4 * length
  return new Float32Array(fits ? buffer : new SharedArrayBuffer(4 * length))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function hiddenWidths({ widths }: TrainerSpec): readonly number[] {
  const encoder = widths.slice(1, -1)
  return [...encoder, ...encoder.toReversed()]
}

/** Returns views of arrays that follow one another. */
function split(numbers: Float32Array, lengths: readonly number[]): readonly Float32Array[] {
  let end = 0
  return lengths.map((length) => {
    end += length
    return numbers.subarray(end - length, end)
  })
}

/** Stops the call when the signal is aborted. @throws the signal's reason if it is aborted. */
async function withSignal<T>(
  core: CoreTrainer,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const stop = () => core.stop()
  signal?.addEventListener('abort', stop)
  try {
    const result = await call()
    signal?.throwIfAborted()
    return result
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Reports the progress every 100 ms, and once more at the end of the epoch. */
async function withProgress<T>(
  core: CoreTrainer,
  onProgress: (progress: EpochProgress) => void,
  train: () => Promise<T>,
): Promise<T> {
  const report = () => {
    const { images, loss } = core.progress()
    onProgress({ imagesDone: images, loss: meanLoss(loss, images) })
  }
  const timer = setInterval(report, progressMilliseconds)
  try {
    const result = await train()
    report()
    return result
  } finally {
    clearInterval(timer)
  }
}
