import { type Architecture, type Layer, layersOf } from './architecture.js'
import { layoutOf, type TensorKind } from './layout.js'
import { type TrainerState, tensorValues } from './state.js'

/** A layer in inference mode, its batch norm folded into the linear map: activation(weight · x + bias). */
export interface FoldedLayer {
  readonly layer: Layer
  /** [out, in] */
  readonly weight: Float32Array
  /** [out] */
  readonly bias: Float32Array
}

// As PyTorch's BatchNorm1d.
const epsilon = 1e-5

/** All layers in the order of the forward pass. */
export function foldedLayers(architecture: Architecture, state: TrainerState): readonly FoldedLayer[] {
  const layout = layoutOf(architecture)
  const tensors = new Map<string, Float32Array>()
  for (const each of layout.parameters) tensors.set(each.name, tensorValues(each, state.parameters))
  for (const each of layout.runningStatistics)
    tensors.set(each.name, tensorValues(each, state.runningStatistics))
  return layersOf(architecture).map((layer) => {
    const tensor = (kind: TensorKind) => tensors.get(`${layer.part}.${layer.index}.${kind}`)!
    const [weight, bias] = [tensor('weight'), tensor('bias')]
    return layer.batchNorm ? folded(layer, weight, bias, tensor) : { layer, weight, bias }
  })
}

/** γ (W x + b − mean) / √(variance + ε) + β as one linear map. */
function folded(
  layer: Layer,
  weight: Float32Array,
  bias: Float32Array,
  tensor: (kind: TensorKind) => Float32Array,
): FoldedLayer {
  const [gamma, beta, mean] = [tensor('gamma'), tensor('beta'), tensor('running_mean')]
  const scale = Array.from(tensor('running_var'), (variance, o) => gamma[o]! / Math.sqrt(variance + epsilon))
  return {
    layer,
    weight: weight.map((value, index) => value * scale[Math.floor(index / layer.inputs)]!),
    bias: bias.map((value, o) => scale[o]! * (value - mean[o]!) + beta[o]!),
  }
}
