import { createRequire } from 'node:module'

/** What TensorFlow's C API calls its data types. */
export const dataTypes = {
  float: 1,
  double: 2,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  resource: 20,
  uint64: 23,
} as const
export type DataType = keyof typeof dataTypes

/** TF_AttrType of the C API. */
export const attributeTypes = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const

export interface BindingAttribute {
  readonly name: string
  readonly type: number
  readonly value: string | number | boolean | readonly number[]
}

export interface TensorInfo {
  readonly id: number
  readonly shape: readonly number[]
  readonly dtype: number
}

export type HostArray = Float32Array | Int32Array | Uint8Array

/**
 * The addon of `@tensorflow/tfjs-node-gpu`, binding/tfjs_binding.cc. Tensors and models are numbers that live until they
 * are deleted. All calls block.
 */
export interface TensorflowBinding {
  readonly TF_Version: string
  isUsingGpuDevice(): boolean
  createTensor(shape: readonly number[], dataType: number, values: HostArray): number
  deleteTensor(id: number): void
  /** Float and int32 tensors only: of a double it throws. */
  tensorDataSync(id: number): Float32Array | Int32Array
  executeOp(
    name: string,
    attributes: readonly BindingAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): readonly TensorInfo[]
  loadSavedModel(folder: string, tags: string): number
  deleteSavedModel(id: number): void
  /** Names are joined by commas, `name:output`. */
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): readonly TensorInfo[]
  getNumOfTensors(): number
  getNumOfSavedModels(): number
}

/** @throws the loader's own error where the addon does not fit this machine or its TensorFlow. */
export function loadTensorflowBinding(addon: string): TensorflowBinding {
  return createRequire(import.meta.url)(addon) as TensorflowBinding
}
