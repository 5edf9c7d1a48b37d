import { inputDimension } from '../model/architecture.js'
import { epochOrder, purpose } from '../model/random.js'
import { initialState, type TrainerState } from '../model/state.js'
import { type CoreStepValues, stepValues } from './core-spec.js'
import type { EpochProgress, Images, NoiseField, Trainer, TrainerSpec } from './engine.js'
import { type LossSums, meanLoss, meanLosses } from './losses.js'

/**
 * A trainer of the C++ core in native/, compiled to an addon or to WebAssembly, or of the CUDA core, on the images given at
 * its creation.
 * Every call that computes runs off the JavaScript thread, one call at a time: the caller awaits a promise before the
 * next call. Arguments are checked and copied.
 * @throws TypeError or RangeError with the name of the invalid argument, from the call or by its promise.
 */
export interface CoreTrainer {
  setState(state: TrainerState): void | Promise<void>
  getState(): TrainerState | Promise<TrainerState>
  /** Returns the number of steps taken. */
  step(): number
  /** @param values of as many steps as `order` has batches */
  trainEpoch(order: Uint32Array, epoch: number, values: CoreStepValues): Promise<LossSums>
  /** @param values of one step */
  trainBatch(clean: Float32Array, noisy: Float32Array, values: CoreStepValues): Promise<LossSums>
  encode(images: Images): Promise<Float32Array>
  /** The linear outputs of all hidden layers, [count][sum of their widths]. */
  linearOutputs(images: Images): Promise<Float32Array>
  reconstruct(images: Images): Promise<Float32Array>
  meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number>
  /** The progress of the current epoch, or of the last one. */
  progress(): CoreProgress
  /** Ends the current call within about a second; its result is then meaningless. */
  stop(): void
  /** Ends the trainer's threads and frees its memory; the current call is rejected, every later call throws. */
  dispose(): void | Promise<void>
}

/** Names a field of normal noise: native/core/random.h. */
export interface CoreNoise {
  readonly seed: number
  readonly purpose: number
  readonly epoch: number
  /** Standard deviation. */
  readonly deviation: number
}

export interface CoreProgress {
  /** Images of the epoch that were trained on. */
  readonly images: number
  /** Sum of their losses. */
  readonly loss: number
}

const progressMilliseconds = 100

/** Wraps a trainer of the core as the Trainer of the engine interface, from the seed's initial state on. */
export async function coreBackedTrainer(
  core: CoreTrainer,
  spec: TrainerSpec,
  images: Uint8Array,
): Promise<Trainer> {
  await core.setState(initialState(spec, spec.seed))
  const count = images.length / inputDimension(spec)
  return {
    trainEpoch: async (epoch, onProgress, signal) => {
      const order = epochOrder(spec.seed, epoch, count)
      const values = stepValues(spec, core.step(), Math.ceil(count / spec.batchSize))
      const train = () => withProgress(core, onProgress, () => core.trainEpoch(order, epoch, values))
      return meanLosses(await withSignal(core, signal, train))
    },
    trainBatch: async (clean, noisy) =>
      meanLosses(await core.trainBatch(clean, noisy, stepValues(spec, core.step(), 1))),
    encode: (input, signal) => withSignal(core, signal, () => core.encode(input)),
    linearOutputs: async (input, signal) =>
      splitColumns(await withSignal(core, signal, () => core.linearOutputs(input)), hiddenWidths(spec)),
    reconstruct: (input) => core.reconstruct(input),
    meanSquaredError: (input, noise, signal) =>
      withSignal(core, signal, () => core.meanSquaredError(input, coreNoise(noise))),
    exportState: async () => core.getState(),
    importState: async (state) => core.setState(state),
    dispose: async () => core.dispose(),
  }
}

function coreNoise(noise: NoiseField | null): CoreNoise | null {
  return noise && { ...noise, purpose: purpose.evaluationNoise, epoch: 0 }
}

function hiddenWidths({ widths }: TrainerSpec): readonly number[] {
  const encoder = widths.slice(1, -1)
  return [...encoder, ...encoder.toReversed()]
}

/** Divides a matrix [rows][sum of widths] into matrices of these widths. */
function splitColumns(matrix: Float32Array, widths: readonly number[]): readonly Float32Array[] {
  const total = widths.reduce((sum, width) => sum + width, 0)
  const rows = total === 0 ? 0 : matrix.length / total
  let begin = 0
  return widths.map((width) => {
    const part = new Float32Array(rows * width)
    for (let row = 0; row < rows; row++) {
      const from = row * total + begin
      part.set(matrix.subarray(from, from + width), row * width)
    }
    begin += width
    return part
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
