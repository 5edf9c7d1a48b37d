/** The C++ core of native/ as JavaScript sees it, whatever it was compiled to. */

import type { BatchNorm } from '../../model/architecture.js'
import type { EnginePenalty } from '../../model/penalties/index.js'
import type { TrainerState } from '../../model/state.js'
import type { AdamSpec, Images } from '../engine.js'
import type { LossSums } from '../losses.js'

export interface CoreSpec {
  readonly widths: readonly number[]
  readonly batchNorm: BatchNorm
  readonly penalties: readonly EnginePenalty[]
  readonly adam: AdamSpec
  readonly batchSize: number
  readonly seed: number
  /** Standard deviation of the training noise. */
  readonly noise: number
  readonly threads: number
}

export interface CoreNoise {
  readonly seed: number
  readonly purpose: number
  readonly epoch: number
  readonly deviation: number
}

/**
 * Every call that computes runs off the JavaScript thread and is one at a time: the caller waits for a promise before
 * the next call.
 */
export interface CoreTrainer {
  setState(state: TrainerState): void
  getState(): TrainerState
  /**
   * `control` is three words of shared memory: [0] is set to 1 to stop before the next batch,
   * [1] counts the batches done, [2] holds the bits of a float32, the mean loss so far.
   */
  trainEpoch(images: Uint8Array, order: Uint32Array, epoch: number, control: Int32Array): Promise<LossSums>
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<LossSums>
  encode(images: Images): Promise<Float32Array>
  reconstruct(images: Images): Promise<Float32Array>
  meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number>
  /** Ends the trainer's threads and frees its memory; every later call throws. */
  dispose(): void | Promise<void>
}
