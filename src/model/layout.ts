import { type Architecture, type Layer, layersOf } from './architecture.js'

export type TensorKind = 'weight' | 'bias' | 'gamma' | 'beta' | 'running_mean' | 'running_var'

export interface Tensor {
  /** As in model.safetensors: `encoder.0.weight`. */
  readonly name: string
  readonly kind: TensorKind
  readonly layer: Layer
  /** [out, in] for a weight, [out] for all others. */
  readonly shape: readonly number[]
  /** First element in the flat array it lies in. */
  readonly offset: number
  readonly size: number
}

/**
 * Where each tensor lies in an engine's two flat arrays: the parameters (and, alike, Adam's two moments) and the
 * running statistics. Layer by layer in the order of the forward pass.
 */
export interface Layout {
  readonly parameters: readonly Tensor[]
  readonly runningStatistics: readonly Tensor[]
  readonly parameterCount: number
  readonly runningStatisticCount: number
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
    parameterCount: total(parameters),
    runningStatisticCount: total(runningStatistics),
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

function total(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensor.size, 0)
}
