import type { CoreSpec } from '../../../src/engines/core.js'
import type { TrainerState } from '../../../src/model/state.js'

/** The batches of a launch: images of the data set in an order, or given ones. */
export interface Batches {
  readonly order?: Uint32Array
  readonly clean?: Float32Array
  readonly noisy?: Float32Array
  readonly epoch: number
  /** Images of the epoch. */
  readonly count: number
  /** Position of the launch's first image. */
  readonly first?: number
  /** Those of `stepValues` for the launch's steps. */
  readonly values: Float64Array
}

export class Message {
  integers(...values: readonly number[]): this
  reals(...values: readonly number[]): this
  array(values: Uint8Array | Uint32Array | Float32Array | Float64Array): this
  bytes(): Buffer
}

export class Reader {
  constructor(bytes: Buffer)
  floats(): Float32Array
  doubles(): Float64Array
}

export function trainRequest(models: number): Message
export function addModel(
  request: Message,
  spec: CoreSpec,
  state: TrainerState,
  batches: Batches,
  images: Uint8Array,
): Message
export function readModel(
  reader: Reader,
  step: number,
): { readonly state: TrainerState; readonly losses: Float64Array }
export function run(programs: readonly string[], request: Message): Buffer
export function requireSame(responses: readonly Buffer[]): void
