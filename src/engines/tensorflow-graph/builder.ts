import type { DataType } from '../tensorflow/binding.js'

/** A tensor in the making: of a graph, an output of a node; eagerly, a tensor's number. */
export interface Value {
  readonly type: DataType
  readonly node: number
  readonly output: number
}

/** An attribute of an op: a whole number, a flag, a text, a data type, or a shape with −1 for what is open. */
export type Attribute =
  | number
  | boolean
  | string
  | { readonly type: DataType }
  | { readonly shape: readonly number[] }
export type Attributes = Readonly<Record<string, Attribute>>

/** Where an op runs: with the numbers, on a card where there is one; in the host's memory; or, eigenvectors, as chosen. */
export type Place = 'device' | 'host' | 'eigen'

/**
 * TensorFlow's raw ops. The network is written once over this; graph/ turns it into a GraphDef, eager/ runs each op at
 * once.
 */
export interface Builder {
  op(
    name: string,
    inputs: readonly Value[],
    attributes: Attributes,
    outputs: readonly DataType[],
  ): readonly Value[]
  constant(type: 'float' | 'double' | 'int32', shape: readonly number[], values: readonly number[]): Value
  /** The handle of a variable that outlives the call, the same for the same name. */
  variable(name: string, type: DataType, shape: readonly number[]): Value
  /** An op without outputs that changes a variable. It runs after the ops of `after`. */
  effect(name: string, inputs: readonly Value[], attributes: Attributes, after: readonly Value[]): void
  /** Runs what `build` builds in another place. */
  at<T>(place: Place, build: () => T): T
}

/** Of the op VarHandleOp: variables of one name are one. */
export function variableAttributes(name: string, type: DataType, shape: readonly number[]): Attributes {
  return { dtype: { type }, shape: { shape }, shared_name: name, container: '' }
}

export type Values = Readonly<Record<string, Value>>

/** Something that can be called with arrays: what its inputs are and what it makes of them. */
export interface Procedure {
  readonly name: string
  readonly inputs: Readonly<Record<string, DataType>>
  /** Outputs are floats. */
  readonly build: (builder: Builder, inputs: Values) => Values
}
