import { type Architecture, type Layer, layersOf } from './architecture.js'

export type TensorKind = 'weight' | 'bias' | 'gamma' | 'beta' | 'running_mean' | 'running_var'

export interface Tensor {
  /** The name in model.safetensors: `encoder.0.weight`. */
  readonly name: string
  readonly kind: TensorKind
  readonly layer: Layer
  /** [out, in] for a weight, [out] for all others. */
  readonly shape: readonly number[]
  /** The tensor's first element in its flat array. */
  readonly offset: number
  readonly size: number
}

/**
 * The place of each tensor in an engine's flat arrays: the parameters (Adam's two moments have the same layout) and the
 * running statistics. Layer by layer in the order of the forward pass.
 */
export interface Layout {
  readonly parameters: readonly Tensor[]
  readonly runningStatistics: readonly Tensor[]
  readonly parameterCount: number
  readonly runningStatisticCount: number
}

/** A tensor by name: the values are fp32, row-major. */
export interface NamedTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const normParameters: readonly TensorKind[] = ['gamma', 'beta']
const normStatistics: readonly TensorKind[] = ['running_mean', 'running_var']

export function layoutOf(architecture: Architecture): Layout {
  const layers = layersOf(architecture)
  const parameters = place(layers, (layer) => ['weight', 'bias', ...(layer.batchNorm ? normParameters : [])])
  const runningStatistics = place(layers, (layer) => (layer.batchNorm ? normStatistics : []))
  return {
    parameters,
    runningStatistics,
    parameterCount: totalSize(parameters),
    runningStatisticCount: totalSize(runningStatistics),
  }
}

function place(
  layers: readonly Layer[],
  kindsOf: (layer: Layer) => readonly TensorKind[],
): readonly Tensor[] {
  let offset = 0
  return layers.flatMap((layer) =>
    kindsOf(layer).map((kind) => {
      const shape = kind === 'weight' ? [layer.outputs, layer.inputs] : [layer.outputs]
      const size = shape.reduce((product, length) => product * length)
      const tensor = { name: `${layer.part}.${layer.index}.${kind}`, kind, layer, shape, offset, size }
      offset += size
      return tensor
    }),
  )
}

function totalSize(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensor.size, 0)
}

/** Returns a tensor's elements in its flat array: a view, not a copy. */
export function tensorValues(tensor: Tensor, flat: Float32Array): Float32Array {
  return flat.subarray(tensor.offset, tensor.offset + tensor.size)
}

/** Returns the tensors of a flat array by their names, each name after `prefix`: views, not copies. */
export function unpackTensors(
  tensors: readonly Tensor[],
  flat: Float32Array,
  prefix = '',
): [name: string, NamedTensor][] {
  return tensors.map((tensor) => [
    prefix + tensor.name,
    { shape: tensor.shape, values: tensorValues(tensor, flat) },
  ])
}

/**
 * Returns the flat array of named tensors: the inverse of unpackTensors.
 * @throws what `onMissing` returns for the first tensor that is absent or has another size.
 */
export function packTensors(
  tensors: readonly Tensor[],
  byName: ReadonlyMap<string, Pick<NamedTensor, 'values'>>,
  onMissing: (name: string) => Error,
  prefix = '',
): Float32Array {
  const flat = new Float32Array(totalSize(tensors))
  for (const tensor of tensors) {
    const name = prefix + tensor.name
    const values = byName.get(name)?.values
    if (values?.length !== tensor.size) throw onMissing(name)
    flat.set(values, tensor.offset)
  }
  return flat
}
