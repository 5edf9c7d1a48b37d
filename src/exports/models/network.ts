import {
  type Activation,
  type Architecture,
  batchNormEpsilon,
  inputDimension,
  latentDimension,
  layersOf,
} from '../../model/architecture.js'
import type { TensorKind } from '../../model/layout.js'
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
  /** Four vectors [outputs]. */
  readonly norm: Readonly<Record<Exclude<TensorKind, 'weight' | 'bias'>, Float32Array>> | null
  readonly activation: Activation
  /** Factor of negative values; leaky ReLU only. */
  readonly slope?: number
}

interface NetworkChoice {
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
  const layers = layersOf(architecture)
    .filter((layer) => part === 'autoencoder' || layer.part === part)
    .map(({ part, index, batchNorm, ...layer }) => {
      const name = `${part}.${index}`
      const values = (kind: TensorKind) => tensors.get(`${name}.${kind}`)!.values
      const norm = () => ({
        gamma: values('gamma'),
        beta: values('beta'),
        running_mean: values('running_mean'),
        running_var: values('running_var'),
      })
      return {
        ...layer,
        name,
        weight: values('weight'),
        bias: values('bias'),
        norm: batchNorm ? norm() : null,
      }
    })
  return {
    part,
    input: part === 'decoder' ? embedding : { name: 'images', width: images },
    output: part === 'encoder' ? embedding : { name: 'reconstruction', width: images },
    layers: keepBatchNorm ? layers : layers.map(foldBatchNorm),
  }
}

/** Folds the batch norm, which in inference is a scale and a shift of each output, into the weight and the bias. */
function foldBatchNorm(layer: ExportedLayer): ExportedLayer {
  const { inputs, weight, bias, norm } = layer
  if (norm === null) return layer
  const { gamma, beta, running_mean: mean, running_var: variance } = norm
  const scale = (output: number) => gamma[output]! / Math.sqrt(variance[output]! + batchNormEpsilon)
  return {
    ...layer,
    weight: weight.map((value, place) => value * scale(Math.floor(place / inputs))),
    bias: bias.map((value, output) => (value - mean[output]!) * scale(output) + beta[output]!),
    norm: null,
  }
}

/** Returns a layer's tensors by their kinds, in the order of model.safetensors. */
export function tensorsOf({ inputs, outputs, weight, bias, norm }: ExportedLayer) {
  const all = Object.entries({ weight, bias, ...norm }) as [TensorKind, Float32Array][]
  return all.map(([kind, values]) => ({
    kind,
    shape: kind === 'weight' ? [outputs, inputs] : [outputs],
    values,
  }))
}
