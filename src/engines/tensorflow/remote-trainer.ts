import type { EpochProgress, Losses, Replica, ReplicaTrainer, Trainer } from '../engine.js'
import { ImageSender } from './kept-images.js'
import type { TensorflowProcess } from './process.js'

/** The one replica of a process as a trainer. */
export function singleTrainer(worker: TensorflowProcess): Trainer {
  return {
    ...replica(worker, new ImageSender(), 0),
    trainEpoch: async (epoch, onProgress, signal) =>
      (await trainEpoch(worker, epoch, onProgress, signal))[0]!,
    trainBatch: async (clean, noisy) => (await worker.call('trainBatch', [clean, noisy]))[0]!,
    dispose: () => worker.close(),
  }
}

export function replicaTrainer(worker: TensorflowProcess, count: number): ReplicaTrainer {
  const sender = new ImageSender()
  return {
    replicas: Array.from({ length: count }, (_, index) => replica(worker, sender, index)),
    trainEpoch: (epoch, onProgress, signal) => trainEpoch(worker, epoch, onProgress, signal),
    dispose: () => worker.close(),
  }
}

function replica(worker: TensorflowProcess, sender: ImageSender, index: number): Replica {
  return {
    encode: (images) => worker.call('encode', [index, sender.send(images)]),
    reconstruct: (images) => worker.call('reconstruct', [index, sender.send(images)]),
    meanSquaredError: (images, noise) => worker.call('meanSquaredError', [index, sender.send(images), noise]),
    exportState: () => worker.call('getState', [index]),
    importState: (state) => worker.call('setState', [index, state]),
  }
}

async function trainEpoch(
  worker: TensorflowProcess,
  epoch: number,
  onProgress: (progress: EpochProgress) => void,
  signal: AbortSignal,
): Promise<readonly Losses[]> {
  signal.throwIfAborted()
  const stop = () => worker.stop()
  signal.addEventListener('abort', stop)
  try {
    const losses = await worker.call('trainEpoch', [epoch], onProgress)
    signal.throwIfAborted()
    return losses!
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
