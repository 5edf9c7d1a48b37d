import type { DataType, HostArray } from './binding.js'

/** An array for a procedure's input. int64 values are pairs of int32 words, the lower one first. */
export interface Feed {
  readonly shape: readonly number[]
  readonly values: HostArray
}

export type Feeds = Readonly<Record<string, Feed>>
export type Results = Readonly<Record<string, Float32Array>>

/** Procedures ready to run, and the variables they share. All calls block. */
export interface Program {
  /** @throws Error with TensorFlow's message. */
  run(procedure: string, feeds: Feeds): Results
  dispose(): void
}

export function feed(shape: readonly number[], values: HostArray): Feed {
  return { shape, values }
}

export function scalar(type: Extract<DataType, 'int32' | 'float'>, value: number): Feed {
  return { shape: [], values: type === 'int32' ? Int32Array.of(value) : Float32Array.of(value) }
}
