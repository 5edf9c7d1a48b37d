import {
  type Activation,
  type Architecture,
  batchNormEpsilon,
  inputDimension,
  type Layer,
  latentDimension,
  layersOf,
} from '../../model/architecture.js'
import type { NamedTensor, TensorKind } from '../../model/layout.js'
import { evaluatedNetwork, modelTensors, type TrainerState } from '../../model/state.js'

export const parts = ['autoencoder', 'encoder', 'decoder'] as const
export type Part = (typeof parts)[number]

/** A trained network, or one half of it. */
export interface ExportedNetwork {
  readonly part: Part
  readonly input: Port
  readonly output: Port
  /** In the order of the forward pass. */
  readonly layers: readonly ExportedLayer[]
}

/** An input or output, fp32 [batch][width]. */
export interface Port {
  readonly name: 'images' | 'embedding' | 'reconstruction'
  readonly width: number
}

/** activation(norm(weight · x + bias)). */
export interface ExportedLayer {
  /** As in model.safetensors: `encoder.0`. */
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  /** [outputs][inputs]. */
  readonly weight: Float32Array
  readonly bias: Float32Array
  readonly norm: BatchNormValues | null
  readonly activation: Activation
  /** Factor of negative values; leaky ReLU only. */
  readonly slope?: number
}

/** Four vectors [outputs]. */
export interface BatchNormValues {
  readonly gamma: Float32Array
  readonly beta: Float32Array
  readonly mean: Float32Array
  readonly variance: Float32Array
}

export interface NetworkChoice {
  readonly part: Part
  /** If false, batch norm is folded into the weights and biases. */
  readonly keepBatchNorm: boolean
}

export function exportedNetwork(
  architecture: Architecture,
  state: TrainerState,
  { part, keepBatchNorm }: NetworkChoice,
): ExportedNetwork {
  const images = inputDimension(architecture)
  const embedding = { name: 'embedding', width: latentDimension(architecture) } as const
  const tensors = modelTensors(architecture, evaluatedNetwork(state))
  const values: Values = (layer, kind) => tensors.get(`${nameOf(layer)}.${kind}`)!.values
  const layers = layersOf(architecture).filter((layer) => part === 'autoencoder' || layer.part === part)
  const exported = layers.map((layer) => exportedLayer(layer, values))
  return {
    part,
    input: part === 'decoder' ? embedding : { name: 'images', width: images },
    output: part === 'encoder' ? embedding : { name: 'reconstruction', width: images },
    layers: keepBatchNorm ? exported : exported.map(foldBatchNorm),
  }
}

type Values = (layer: Layer, kind: TensorKind) => Float32Array

function nameOf({ part, index }: Layer): string {
  return `${part}.${index}`
}

function exportedLayer(layer: Layer, values: Values): ExportedLayer {
  const { inputs, outputs, activation, slope } = layer
  const norm = () => ({
    gamma: values(layer, 'gamma'),
    beta: values(layer, 'beta'),
    mean: values(layer, 'running_mean'),
    variance: values(layer, 'running_var'),
  })
  return {
    name: nameOf(layer),
    inputs,
    outputs,
    activation,
    ...(slope !== undefined && { slope }),
    weight: values(layer, 'weight'),
    bias: values(layer, 'bias'),
    norm: layer.batchNorm ? norm() : null,
  }
}

/** Folds the batch norm, which in inference is a scale and a shift of each output, into the weight and the bias. */
function foldBatchNorm(layer: ExportedLayer): ExportedLayer {
  const { inputs, weight, bias, norm } = layer
  if (norm === null) return layer
  const scale = (output: number) => norm.gamma[output]! / Math.sqrt(norm.variance[output]! + batchNormEpsilon)
  return {
    ...layer,
    weight: weight.map((value, place) => value * scale(Math.floor(place / inputs))),
    bias: bias.map((value, output) => (value - norm.mean[output]!) * scale(output) + norm.beta[output]!),
    norm: null,
  }
}

/** Returns a layer's tensors under the names of model.safetensors. */
export function namedTensors(layer: ExportedLayer): [string, NamedTensor][] {
  const { name, inputs, outputs, weight, bias, norm } = layer
  const vectors = {
    bias,
    ...(norm && {
      gamma: norm.gamma,
      beta: norm.beta,
      running_mean: norm.mean,
      running_var: norm.variance,
    }),
  }
  return [
    [`${name}.weight`, { shape: [outputs, inputs], values: weight }],
    ...Object.entries(vectors).map(([kind, values]): [string, NamedTensor] => [
      `${name}.${kind}`,
      { shape: [outputs], values },
    ]),
  ]
}
