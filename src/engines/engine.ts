import type { Device } from '../config/schema.js'
import type { EngineEigenLoss } from '../eigen-losses/index.js'
import type { Architecture } from '../model/architecture.js'
import type { TrainerState } from '../model/state.js'

/** Something that trains: one row of the table in select.ts. It knows nothing of files, CSV or the terminal. */
export interface Engine {
  readonly name: string
  readonly device: Device
  /** What its numbers may depend on besides the config: an instruction set, a graphics card. */
  readonly variant: string
  /** Which of the files that could run it was taken: "prebuilt for linux-x64", "built here" … */
  readonly origin: string
  /** Why those before it were not, one line each; none where it is the first. */
  readonly refusals: readonly string[]
  createTrainer(spec: TrainerSpec, images: Uint8Array): Promise<Trainer>
  /**
   * Several seeds of one spec side by side in one device's memory: specs may differ in their seeds alone. Absent where an
   * engine gains nothing by it.
   */
  createReplicas?(specs: readonly TrainerSpec[], images: Uint8Array): Promise<ReplicaTrainer>
  /** GFLOP/s that no kernel on this device can pass on so many threads, measured; absent where nobody knows. */
  measurePeak?(threads: number): Promise<number>
}

export interface TrainerSpec extends Architecture {
  readonly eigenLosses: readonly EngineEigenLoss[]
  readonly adam: AdamSpec
  readonly batchSize: number
  /** Names the initial parameters, the shuffles and the training noise. */
  readonly seed: number
  /** Standard deviation of the training noise. */
  readonly noise: number
  /** How many cores to use; it never changes a number. */
  readonly threads: number
}

export interface AdamSpec {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
}

/**
 * Images as [count][inputs]: bytes are pixels of 0 to 255 and are divided by 255, floats are used as they are. Bytes are a
 * data set's and never change: an engine may keep a copy.
 */
export type Images = Uint8Array | Float32Array

/** A named field of normal noise for the images of an evaluation, the same on every engine up to rounding. */
export interface NoiseField {
  readonly seed: number
  readonly deviation: number
}

/** Means over the images that were trained on. */
export interface Losses {
  /** mse + Σ weight · eigen loss. */
  readonly loss: number
  readonly mse: number
  /** The unweighted eigen losses' sum, over the batches that had one; 0 without. */
  readonly eigenLoss: number
}

export interface EpochProgress {
  readonly imagesDone: number
  /** Mean loss over the images done, by the definition of `Losses.loss`; 0 before the first batch. */
  readonly loss: number
}

/**
 * A network in training on the images given at its creation, from the seed's initial parameters on. Calls are one at a
 * time. Work runs off the JavaScript thread, so timers and signals go on.
 */
export interface Trainer {
  /**
   * One pass over all images in the epoch's order (epochs count from 1). `onProgress` is called now and then, and at the
   * end with all images and the loss that is returned, as far as single precision has it.
   * @throws the signal's reason once it is aborted; the state is then that of a part of the epoch, whose last step may
   * lack the eigen losses.
   */
  trainEpoch(
    epoch: number,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<Losses>
  /** One step on a given batch, [count][inputs] each, with count ≤ batchSize. */
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<Losses>
  /** The embedding [count][latent], batch norm in inference mode. @throws the signal's reason if it is aborted. */
  encode(images: Images, signal?: AbortSignal): Promise<Float32Array>
  /** The network's output [count][inputs], likewise. */
  reconstruct(images: Images): Promise<Float32Array>
  /** Mean over images and pixels of (output(image + noise) − image)². @throws the signal's reason if it is aborted. */
  meanSquaredError(images: Images, noise: NoiseField | null, signal?: AbortSignal): Promise<number>
  exportState(): Promise<TrainerState>
  importState(state: TrainerState): Promise<void>
  dispose(): Promise<void>
}

/** What is one seed's own among replicas. */
export type Replica = Pick<
  Trainer,
  'encode' | 'reconstruct' | 'meanSquaredError' | 'exportState' | 'importState'
>

/** Networks in training side by side, in the order of their specs. What is asked of several at once is done in turn. */
export interface ReplicaTrainer {
  readonly replicas: readonly Replica[]
  /** As Trainer's, a step of all at once; their states must have taken as many steps. Progress has their mean loss. */
  trainEpoch(
    epoch: number,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<readonly Losses[]>
  dispose(): Promise<void>
}
