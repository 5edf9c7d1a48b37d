import type { TrainerState } from '../../model/state.js'
import type { Losses, NoiseField } from '../engine.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import type { SentImages } from './kept-images.js'

/** How a trainer's ops are run. */
export interface Execution {
  readonly device: 'gpu' | 'cpu'
  /** A graph is two to four times as fast; op by op is for tests and comparisons. */
  readonly mode: 'graph' | 'eager'
  /** Where the eigendecomposition of 10 × 10 matrices runs: a card needs longer for one than the way to the host takes. */
  readonly eigen: 'host' | 'device'
}

/** What TensorFlow holds, to see that nothing leaks. */
export interface WorkerUsage {
  readonly tensors: number
  readonly models: number
  readonly residentBytes: number
}

/** What the process that TensorFlow lives in can be asked, one call at a time. */
export interface WorkerCalls {
  /** Loads the addon and its messages. `gpu` is whether TensorFlow found a card that it can use. */
  open(addon: string, protocol: string): { readonly version: string; readonly gpu: boolean }
  create(spec: NetworkSpec, images: Uint8Array, execution: Execution): void
  /** Null once it was stopped. */
  trainEpoch(epoch: number): Promise<readonly Losses[] | null>
  trainBatch(clean: Float32Array, noisy: Float32Array): readonly Losses[]
  encode(replica: number, images: SentImages): Float32Array
  reconstruct(replica: number, images: SentImages): Float32Array
  meanSquaredError(replica: number, images: SentImages, noise: NoiseField | null): number
  getState(replica: number): TrainerState
  setState(replica: number, state: TrainerState): void
  usage(): WorkerUsage
}

export type CallName = keyof WorkerCalls

/** To the worker: a call, or that the epoch under way is to stop. */
export type Request = { readonly call: CallName; readonly args: readonly unknown[] } | { readonly stop: true }

/** From the worker: how far an epoch is, or the end of a call. */
export type Reply =
  | { readonly imagesDone: number; readonly loss: number }
  | { readonly value: unknown }
  | { readonly error: string }
