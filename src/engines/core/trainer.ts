import { EigenaeError } from '../../errors.js'
import { inputDimension } from '../../model/architecture.js'
import { layoutOf } from '../../model/layout.js'
import { purpose } from '../../model/random.js'
import { epochOrder } from '../../model/shuffle.js'
import { initialState, type TrainerState } from '../../model/state.js'
import type { EpochProgress, Images, NoiseField, Trainer, TrainerSpec } from '../engine.js'
import { meanLosses } from '../losses.js'
import type { CoreSpec, CoreTrainer } from './core.js'

const progressMilliseconds = 100

/** A trainer on the core, and the words that its epochs share with this thread. */
export interface Core {
  readonly trainer: CoreTrainer
  readonly control: Int32Array
}

export function trainerOn({ trainer, control }: Core, spec: TrainerSpec, images: Uint8Array): Trainer {
  trainer.setState(initialState(spec.architecture, spec.seed))
  const count = images.length / inputDimension(spec.architecture)
  const watch = new EpochWatch(control, spec.batchSize, count)
  return {
    trainEpoch: async (epoch, onProgress, signal) => {
      const order = epochOrder(spec.seed, epoch, count)
      const train = () => trainer.trainEpoch(images, order, epoch, control)
      const losses = await watch.during(train, onProgress, signal)
      signal.throwIfAborted()
      return meanLosses(losses)
    },
    trainBatch: async (clean, noisy) => {
      requireBatch(clean, noisy, spec)
      return meanLosses(await trainer.trainBatch(clean, noisy))
    },
    encode: (input) => trainer.encode(input),
    reconstruct: (input) => trainer.reconstruct(input),
    meanSquaredError: (input, noise) => meanSquaredError(trainer, input, noise),
    exportState: async () => trainer.getState(),
    importState: async (state) => {
      requireSizes(state, spec)
      trainer.setState(state)
    },
    dispose: async () => trainer.dispose(),
  }
}

/** The core trusts what it is given. */
function requireBatch(
  clean: Float32Array,
  noisy: Float32Array,
  { architecture, batchSize }: TrainerSpec,
): void {
  const count = clean.length / inputDimension(architecture)
  const sound = Number.isInteger(count) && count >= 1 && count <= batchSize && noisy.length === clean.length
  if (!sound) throw new EigenaeError({ what: `a batch has 1 to ${batchSize} whole images, clean and noisy` })
}

function requireSizes(state: TrainerState, { architecture }: TrainerSpec): void {
  const { parameterCount, runningStatisticCount } = layoutOf(architecture)
  const sound =
    [state.parameters, state.firstMoments, state.secondMoments].every(
      ({ length }) => length === parameterCount,
    ) && state.runningStatistics.length === runningStatisticCount
  if (!sound) throw new EigenaeError({ what: `a state of this network has ${parameterCount} parameters` })
}

export function coreSpec({ architecture, ...spec }: TrainerSpec): CoreSpec {
  return { ...spec, widths: architecture.widths, batchNorm: architecture.batchNorm }
}

function meanSquaredError(trainer: CoreTrainer, images: Images, noise: NoiseField | null): Promise<number> {
  return trainer.meanSquaredError(images, noise && { ...noise, purpose: purpose.evaluationNoise, epoch: 0 })
}

/** Looks at an epoch's words, see core.ts, while it runs. */
class EpochWatch {
  readonly #words: Int32Array
  readonly #lossBits: Float32Array
  readonly #batchSize: number
  readonly #count: number

  constructor(words: Int32Array, batchSize: number, count: number) {
    this.#words = words
    this.#lossBits = new Float32Array(words.buffer, words.byteOffset + 8, 1)
    this.#batchSize = batchSize
    this.#count = count
  }

  async during<T>(
    train: () => Promise<T>,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<T> {
    const stop = () => Atomics.store(this.#words, 0, 1)
    this.#words.fill(0)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    const timer = setInterval(() => onProgress(this.#progress()), progressMilliseconds)
    try {
      return await train()
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  #progress(): EpochProgress {
    const batches = Atomics.load(this.#words, 1)
    return { imagesDone: Math.min(batches * this.#batchSize, this.#count), loss: this.#lossBits[0]! }
  }
}
