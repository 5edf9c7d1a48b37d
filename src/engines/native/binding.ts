import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../package-root.js'

/** What native/addon/addon.cc exports. JavaScript validates before it calls; the addon trusts what it is given. */
export interface NativeBinding {
  /** The instruction set the kernels run on here: "avx512", "avx2", "x86-64", "neon" … */
  readonly instructionSet: string
  readonly createTrainer: (spec: NativeSpec) => NativeTrainer
  /** GFLOP/s of multiply-adds on registers alone, on so many threads at once. */
  readonly measurePeak: (threads: number) => Promise<number>
}

export interface NativeSpec {
  readonly widths: readonly number[]
  readonly batchNorm: 'none' | 'encoder' | 'all'
  readonly penalties: readonly NativePenalty[]
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

export interface NativePenalty {
  readonly kind: string
  readonly weight: number
  readonly center: boolean
  /** The kind's own numbers, `{ k: 2 }`; empty where it has none. */
  readonly parameters: Readonly<Record<string, number>>
}

/** Flat arrays in the order of src/model/layout.ts. */
export interface NativeState {
  readonly step: number
  readonly parameters: Float32Array
  readonly firstMoments: Float32Array
  readonly secondMoments: Float32Array
  readonly runningStatistics: Float32Array
}

/** Sums over what was trained, as `Losses` in native/core/trainer.h. */
export interface NativeLosses {
  readonly squaredError: number
  readonly penalty: number
  readonly weighted: number
  readonly images: number
  readonly penaltyImages: number
}

export interface NativeNoise {
  readonly seed: number
  readonly purpose: number
  readonly epoch: number
  readonly deviation: number
}

/** Bytes are pixels of 0 to 255, floats are used as they are; [count][inputs] either way. */
export type NativeImages = Uint8Array | Float32Array

/**
 * Every call that computes runs off the JavaScript thread and is one at a time: the caller waits for a promise before
 * the next call.
 */
export interface NativeTrainer {
  setState(state: NativeState): void
  getState(): NativeState
  /**
   * `control` is an Int32Array on a SharedArrayBuffer of three words: [0] is set to 1 to stop before the next batch,
   * [1] counts the batches done, [2] holds the bits of a float32, the mean loss so far.
   */
  trainEpoch(
    images: Uint8Array,
    order: Uint32Array,
    epoch: number,
    control: Int32Array,
  ): Promise<NativeLosses>
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<NativeLosses>
  encode(images: NativeImages): Promise<Float32Array>
  reconstruct(images: NativeImages): Promise<Float32Array>
  meanSquaredError(images: NativeImages, noise: NativeNoise | null): Promise<number>
  /** Joins the trainer's threads and frees its memory; every later call throws. */
  dispose(): void
}

const addonFile = join(packageRoot, 'native', 'build', 'eigenae.node')

/** @throws the loader's own error when the addon was not built here or does not fit this machine. */
export function loadNativeBinding(): NativeBinding {
  return createRequire(import.meta.url)(addonFile) as NativeBinding
}
