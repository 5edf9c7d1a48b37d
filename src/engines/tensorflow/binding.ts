import { createRequire } from 'node:module'
import type { HostArray } from '../tensorflow-graph/graph.js'
import type { Protocol } from '../tensorflow-graph/saved-model.js'

export interface TensorInfo {
  readonly id: number
  readonly shape: readonly number[]
  readonly dtype: number
}

/**
 * The calls used here of the addon of `@tensorflow/tfjs-node-gpu`, binding/tfjs_binding.cc. Tensors and models are numbers
 * that live until they are deleted. All calls block.
 */
export interface TensorflowBinding {
  readonly TF_Version: string
  isUsingGpuDevice(): boolean
  createTensor(shape: readonly number[], dataType: number, values: HostArray): number
  deleteTensor(id: number): void
  /** Throws for types other than float and int32. */
  tensorDataSync(id: number): Float32Array | Int32Array
  loadSavedModel(folder: string, tags: string): number
  /** Names are `name:output`, joined by commas. */
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): readonly TensorInfo[]
  /** Frees the model's variables, too. */
  deleteSavedModel(id: number): void
  getNumOfTensors(): number
  getNumOfSavedModels(): number
}

/** @throws the loader's own error if the addon does not fit this machine or its TensorFlow. */
export function loadTensorflowBinding(addon: string): TensorflowBinding {
  return createRequire(import.meta.url)(addon) as TensorflowBinding
}

/** Loads the package's generated messages, dist/proto/api_pb.js. */
export function loadProtocol(file: string): Protocol {
  return createRequire(import.meta.url)(file) as Protocol
}
