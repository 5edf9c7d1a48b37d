import type { PrincipalDirection } from '../../spectrum/principal-directions.js'
import type { PageLayer } from '../page-data.js'

export interface Layer extends PageLayer {
  /** [out, in] */
  readonly weight: Float32Array
  /** [out] */
  readonly bias: Float32Array
}

/** A trained network in inference mode, and how it embeds the page's images. */
export interface Network {
  readonly encoder: readonly Layer[]
  readonly decoder: readonly Layer[]
  readonly mean: readonly number[]
  readonly directions: readonly PrincipalDirection[]
  /** [images][latent], along the directions. */
  readonly coordinates: Float32Array
}

export function forward(layers: readonly Layer[], input: Float32Array): Float32Array {
  return layers.reduce(layerOutput, input)
}

function layerOutput(input: Float32Array, { weight, bias, inputs, activation }: Layer): Float32Array {
  return bias.map((start, o) => {
    let sum = start
    for (let i = 0, w = o * inputs; i < inputs; i++, w++) sum += weight[w]! * input[i]!
    if (activation === 'relu') return Math.max(0, sum)
    return activation === 'sigmoid' ? 1 / (1 + Math.exp(-sum)) : sum
  })
}
