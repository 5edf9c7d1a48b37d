import type { Config, Device } from '../config/schema.js'
import type { Formula } from '../formulas/parse.js'
import type { Architecture } from '../model/architecture.js'
import type { Scheduled } from '../model/schedule.js'
import type { Initialisation, TrainerState } from '../model/state.js'

/** Trains networks: one row of the table in select.ts. It does not use files, CSV or the terminal. */
export interface Engine {
  readonly name: string
  readonly device: Device
  /** Why it was chosen, if the device has several engines. */
  readonly reason?: string
  /** The instruction set or version that its numbers may depend on besides the config. */
  readonly variant: string
  /** The origin of the file that runs it: "prebuilt for linux-x64", "built here" … */
  readonly origin: string
  /** Why the files tried before it do not run, one line each. */
  readonly refusals: readonly string[]
  /**
   * The number of trainers of one process that train at the same time; more take turns. Absent if a process should have
   * one trainer only. For the CUDA core it is what native/cuda/host/kernel.cc finds that the card holds.
   */
  readonly atOnce?: number
  /** @param images the training data, [count][inputs] */
  createTrainer(spec: TrainerSpec, images: Uint8Array): Promise<Trainer>
  /**
   * Trains several seeds of one spec side by side: the specs may differ in their seeds only. Absent if the engine gains
   * nothing by it.
   */
  createReplicas?(specs: readonly TrainerSpec[], images: Uint8Array): Promise<ReplicaTrainer>
  /** Measures an upper bound of the GFLOP/s of any kernel on the given number of threads; absent if it is unknown. */
  measurePeak?(threads: number): Promise<number>
}

/** The purpose of an engine. A device may have several engines, of which one suits it. */
export interface EngineNeeds {
  /** The network to train; by default that of a config without settings. */
  readonly spec?: TrainerSpec
  /** Whether seeds are to be trained side by side: `createReplicas`. */
  readonly replicas?: boolean
  /** The name of the engine that has begun the run that is resumed. */
  readonly begunWith?: string | undefined
}

/** The network and its training. */
export interface TrainerSpec extends Architecture {
  readonly init: Initialisation
  readonly eigenLosses: readonly EigenLossSpec[]
  readonly optimizer: OptimizerSpec
  readonly batchSize: number
  /** Names the initial parameters, the shuffles and the training noise. */
  readonly seed: number
  /** Standard deviation of the training noise. */
  readonly noise: number
  /** Cores to use. The results do not depend on it. */
  readonly threads: number
}

/** A term of the loss: weight · the mean of the formula's value over the layers. */
export interface EigenLossSpec {
  readonly formula: Formula
  /** By the step. At a step where it is 0, the loss is not computed and counts as absent. */
  readonly weight: Scheduled
  /**
   * Positions of its layers in the forward pass, ascending. The matrix [batch][width] of the latent layer is the embedding,
   * after batch norm; that of any other layer is the output of its linear map, before batch norm and activation.
   */
  readonly layers: readonly number[]
  /** A batch of fewer images trains without this loss. */
  readonly minimumImages: number
}

/**
 * The optimiser of a config, with its schedule in steps. "adam" and "adamw" are torch.optim.Adam and AdamW, whose decay applies
 * to weights, not to biases and batch norm. "sgd" is torch.optim.SGD without dampening: the momentum's buffer is `firstMoments`, and
 * `secondMoments` stay 0. Averages are those of torch.optim.swa_utils with use_buffers: the first step's values, then
 * average ← decay · average + (1 − decay) · value after each step. `encode`, `inspect`, `reconstruct` and
 * `meanSquaredError` use the averaged network if there is one.
 */
export type OptimizerSpec = InSteps<Config['optimizer']>
export type SgdSpec = Extract<OptimizerSpec, { readonly kind: 'sgd' }>
export type AdamSpec = Exclude<OptimizerSpec, SgdSpec>

type InSteps<Optimizer> = Optimizer extends unknown
  ? Omit<Optimizer, 'learningRate'> & { readonly learningRate: Scheduled }
  : never

/**
 * Images [count][inputs], row-major. Bytes are pixels from 0 to 255 and are divided by 255; floats are used unchanged.
 * Bytes belong to a data set and never change: an engine may keep a copy.
 */
export type Images = Uint8Array | Float32Array

/** Names the normal noise of an evaluation's images, the same on every engine up to rounding. */
export interface NoiseField {
  readonly seed: number
  /** Standard deviation. */
  readonly deviation: number
}

/** Means over the images that were trained on. */
export interface Losses {
  /** mse + Σ weight · eigen loss. */
  readonly loss: number
  readonly mse: number
  /** The eigen losses, in the order of the spec. */
  readonly terms: readonly TermLoss[]
}

/** Means of an eigen loss over the images of the batches that had it. */
export interface TermLoss {
  /** Unweighted; NaN if no batch had it, because a loss is not computed at weight 0. */
  readonly value: number
  /** 0 if no batch had it. */
  readonly weighted: number
}

export interface EpochProgress {
  readonly imagesDone: number
  /** Mean loss over the images done, as `Losses.loss`; 0 before the first batch. */
  readonly loss: number
}

/** The values of images in a network. */
export interface NetworkValues {
  /** [count][latent] */
  readonly embedding: Float32Array
  /** The outputs of the hidden layers' linear maps, [rows][width] each, in the order of the forward pass. */
  readonly linearOutputs: readonly Float32Array[]
  /** The mean over images and pixels of (output(image) − image)²; NaN unless it was asked for. */
  readonly mse: number
}

/**
 * A network in training on the images given at its creation, from the seed's initial parameters on. The caller makes
 * one call at a time. Work runs off the JavaScript thread, so timers and signals are handled during a call.
 */
export interface Trainer {
  /**
   * Trains on all images once, in the epoch's order; epochs count from 1. `onProgress` is called about every 100 ms,
   * and once at the end, with the total number of images and the returned loss in single precision.
   * @throws the signal's reason if it is aborted. The state is then that after a part of the epoch, and its last step
   * may lack the eigen losses.
   */
  trainEpoch(
    epoch: number,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<Losses>
  /** Takes one step on a given batch, [count][inputs] each, with count ≤ batchSize. */
  trainBatch(clean: Float32Array, noisy: Float32Array): Promise<Losses>
  /**
   * Returns the embedding [count][latent], with batch norm in inference mode. @throws the signal's reason if it is
   * aborted.
   */
  encode(images: Images, signal?: AbortSignal): Promise<Float32Array>
  /**
   * Returns the values of images in the network, with batch norm in inference mode. @throws the signal's reason if it is
   * aborted.
   * @param rows the number of first images whose linear outputs are wanted
   * @param withError whether the error is wanted
   * @param reused an earlier result that is no longer needed: its memory may be used for this one
   */
  inspect(
    images: Images,
    rows: number,
    withError: boolean,
    signal?: AbortSignal,
    reused?: NetworkValues,
  ): Promise<NetworkValues>
  /** Returns the network's output [count][inputs], with batch norm in inference mode. */
  reconstruct(images: Images): Promise<Float32Array>
  /**
   * Returns the mean over images and pixels of (output(image + noise) − image)². @throws the signal's reason if it is
   * aborted.
   */
  meanSquaredError(images: Images, noise: NoiseField | null, signal?: AbortSignal): Promise<number>
  /** @param reused an earlier state that is no longer needed: its memory may be used for this one */
  exportState(reused?: TrainerState): Promise<TrainerState>
  importState(state: TrainerState): Promise<void>
  dispose(): Promise<void>
}

/** The calls of one seed among replicas. */
export type Replica = Pick<
  Trainer,
  'encode' | 'inspect' | 'reconstruct' | 'meanSquaredError' | 'exportState' | 'importState'
>

/** Networks in training side by side, in the order of their specs. Concurrent calls are queued. */
export interface ReplicaTrainer {
  readonly replicas: readonly Replica[]
  /** Trains an epoch of all, which must have taken the same number of steps. The progress has their mean loss. */
  trainEpoch(
    epoch: number,
    onProgress: (progress: EpochProgress) => void,
    signal: AbortSignal,
  ): Promise<readonly Losses[]>
  dispose(): Promise<void>
}
