import { inputDimension } from '../../model/architecture.js'
import { purpose } from '../../model/random.js'
import { epochOrder } from '../../model/shuffle.js'
import { initialState } from '../../model/state.js'
import type { EpochProgress, NoiseField, Trainer, TrainerSpec } from '../engine.js'
import { meanLoss, meanLosses } from '../losses.js'
import type { CoreNoise, CoreTrainer } from './core.js'

const progressMilliseconds = 100

export function trainerOn(trainer: CoreTrainer, spec: TrainerSpec, images: Uint8Array): Trainer {
  trainer.setState(initialState(spec, spec.seed))
  const count = images.length / inputDimension(spec)
  return {
    trainEpoch: async (epoch, onProgress, signal) => {
      const order = epochOrder(spec.seed, epoch, count)
      const train = () => reporting(trainer, onProgress, () => trainer.trainEpoch(order, epoch))
      return meanLosses(await stoppable(trainer, signal, train))
    },
    trainBatch: async (clean, noisy) => meanLosses(await trainer.trainBatch(clean, noisy)),
    encode: (input, signal) => stoppable(trainer, signal, () => trainer.encode(input)),
    reconstruct: (input) => trainer.reconstruct(input),
    meanSquaredError: (input, noise, signal) =>
      stoppable(trainer, signal, () => trainer.meanSquaredError(input, evaluationNoise(noise))),
    exportState: async () => trainer.getState(),
    importState: async (state) => trainer.setState(state),
    dispose: async () => trainer.dispose(),
  }
}

function evaluationNoise(noise: NoiseField | null): CoreNoise | null {
  return noise && { ...noise, purpose: purpose.evaluationNoise, epoch: 0 }
}

/** Stops the call when the signal is aborted. @throws the signal's reason then. */
async function stoppable<T>(
  trainer: CoreTrainer,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const stop = () => trainer.stop()
  signal?.addEventListener('abort', stop)
  try {
    const result = await call()
    signal?.throwIfAborted()
    return result
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Reports how far the epoch is, now and then and at its end. */
async function reporting<T>(
  trainer: CoreTrainer,
  onProgress: (progress: EpochProgress) => void,
  train: () => Promise<T>,
): Promise<T> {
  const report = () => {
    const { images, loss } = trainer.progress()
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
