/** The C++ core of native/ as JavaScript sees it, whatever it was compiled to. */

import type { TrainerState } from '../../model/state.js'
import type { Images } from '../engine.js'
import type { LossSums } from '../losses.js'

export interface CoreNoise {
  readonly seed: number
  readonly purpose: number
  readonly epoch: number
  readonly deviation: number
}

/** How far an epoch is: the images that it has trained on, and the sum of their losses. */
export interface CoreProgress {
  readonly images: number
  readonly loss: number
}

/**
 * A trainer on the images given at its creation. Every call that computes runs off the JavaScript thread and is one at a
 * time: the caller waits for a promise before the next call. Arguments are checked and copied.
 * @throws TypeError or RangeError with the name of a wrong argument, from a call or by its promise.
 */
export interface CoreTrainer {
  setState(state: TrainerState): void
  getState(): TrainerState
  trainEpoch(order: Uint32Array, epoch: number): Promise<LossSums>
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<LossSums>
  encode(images: Images): Promise<Float32Array>
  reconstruct(images: Images): Promise<Float32Array>
  meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number>
  /** While an epoch runs, and after it. */
  progress(): CoreProgress
  /** Ends the call under way within about a second; what it returns is of no use. */
  stop(): void
  /** Ends the trainer's threads and frees its memory; a call under way is rejected, every later call throws. */
  dispose(): void | Promise<void>
}
