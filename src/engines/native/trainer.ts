import { inputDimension } from '../../model/architecture.js'
import { purpose } from '../../model/random.js'
import { epochOrder } from '../../model/shuffle.js'
import { initialState } from '../../model/state.js'
import type { EpochProgress, Images, Losses, NoiseField, Trainer, TrainerSpec } from '../engine.js'
import type { NativeBinding, NativeLosses, NativeSpec, NativeTrainer } from './binding.js'

const progressMilliseconds = 100

export async function createNativeTrainer(
  binding: NativeBinding,
  spec: TrainerSpec,
  images: Uint8Array,
): Promise<Trainer> {
  const native = binding.createTrainer(nativeSpec(spec))
  native.setState(initialState(spec.architecture, spec.seed))
  const count = images.length / inputDimension(spec.architecture)
  return {
    trainEpoch: async (epoch, onProgress, signal) => {
      const order = epochOrder(spec.seed, epoch, count)
      const control = new EpochControl(spec.batchSize, count)
      const losses = await control.watch(
        native.trainEpoch(images, order, epoch, control.words),
        onProgress,
        signal,
      )
      signal.throwIfAborted()
      return meanLosses(losses)
    },
    trainBatch: async (clean, noisy) => meanLosses(await native.trainBatch(clean, noisy)),
    encode: (input) => native.encode(input),
    reconstruct: (input) => native.reconstruct(input),
    meanSquaredError: (input, noise) => meanSquaredError(native, input, noise),
    exportState: async () => native.getState(),
    importState: async (state) => native.setState(state),
    dispose: async () => native.dispose(),
  }
}

function nativeSpec({ architecture, ...spec }: TrainerSpec): NativeSpec {
  return { ...spec, widths: architecture.widths, batchNorm: architecture.batchNorm }
}

function meanSquaredError(native: NativeTrainer, images: Images, noise: NoiseField | null): Promise<number> {
  return native.meanSquaredError(images, noise && { ...noise, purpose: purpose.evaluationNoise, epoch: 0 })
}

function meanLosses({ squaredError, penalty, weighted, images, penaltyImages }: NativeLosses): Losses {
  return {
    loss: (squaredError + weighted) / images,
    mse: squaredError / images,
    penalty: penaltyImages === 0 ? 0 : penalty / penaltyImages,
  }
}

/** The words that an epoch in the addon shares with this thread: see binding.ts. */
class EpochControl {
  readonly words = new Int32Array(new SharedArrayBuffer(12))
  readonly #lossBits = new Float32Array(this.words.buffer, 8, 1)
  readonly #batchSize: number
  readonly #count: number

  constructor(batchSize: number, count: number) {
    this.#batchSize = batchSize
    this.#count = count
  }

  async watch<T>(
    epoch: Promise<T>,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<T> {
    const stop = () => Atomics.store(this.words, 0, 1)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    const timer = setInterval(() => onProgress(this.progress()), progressMilliseconds)
    try {
      return await epoch
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  progress(): EpochProgress {
    const batches = Atomics.load(this.words, 1)
    return { imagesDone: Math.min(batches * this.#batchSize, this.#count), loss: this.#lossBits[0]! }
  }
}
