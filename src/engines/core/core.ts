/** The C++ core of native/ as JavaScript sees it, whatever it was compiled to. */

import type { LossSums } from '../losses.js'

export interface CoreSpec {
  readonly widths: readonly number[]
  readonly batchNorm: 'none' | 'encoder' | 'all'
  readonly penalties: readonly CorePenalty[]
  readonly adam: {
    readonly learningRate: number
    readonly beta1: number
    readonly beta2: number
    readonly epsilon: number
  }
  readonly batchSize: number
  readonly seed: number
  /** Standard deviation of the training noise. */
  readonly noise: number
  readonly threads: number
}

export interface CorePenalty {
  readonly kind: string
  readonly weight: number
  readonly center: boolean
  /** The kind's own numbers, `{ k: 2 }`; empty where it has none. */
  readonly parameters: Readonly<Record<string, number>>
}

/** Flat arrays in the order of src/model/layout.ts. */
export interface CoreState {
  readonly step: number
  readonly parameters: Float32Array
  readonly firstMoments: Float32Array
  readonly secondMoments: Float32Array
  readonly runningStatistics: Float32Array
}

export interface CoreNoise {
  readonly seed: number
  readonly purpose: number
  readonly epoch: number
  readonly deviation: number
}

/** Bytes are pixels of 0 to 255, floats are used as they are; [count][inputs] either way. */
export type CoreImages = Uint8Array | Float32Array

/**
 * Every call that computes runs off the JavaScript thread and is one at a time: the caller waits for a promise before
 * the next call.
 */
export interface CoreTrainer {
  setState(state: CoreState): void
  getState(): CoreState
  /**
   * `control` is three words of shared memory: [0] is set to 1 to stop before the next batch,
   * [1] counts the batches done, [2] holds the bits of a float32, the mean loss so far.
   */
  trainEpoch(images: Uint8Array, order: Uint32Array, epoch: number, control: Int32Array): Promise<LossSums>
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<LossSums>
  encode(images: CoreImages): Promise<Float32Array>
  reconstruct(images: CoreImages): Promise<Float32Array>
  meanSquaredError(images: CoreImages, noise: CoreNoise | null): Promise<number>
  /** Ends the trainer's threads and frees its memory; every later call throws. */
  dispose(): void | Promise<void>
}
