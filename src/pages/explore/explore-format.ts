import type { Activation, ImageShape } from '../../model/architecture.js'
import type { PrincipalDirection } from '../../spectrum/principal-directions.js'

/**
 * The JSON in the page's element "explore-data". The numbers are in two other elements, gzipped and in base64:
 * "explore-floats" holds little-endian float32, run after run, each in the order of `PageRun`; "explore-pixels" holds the
 * images as bytes [images][height][width].
 */
export interface PageData {
  readonly shape: ImageShape
  /** One label per image, 0 to 255. */
  readonly labels: readonly number[]
  readonly noise: { readonly initial: number; readonly maximum: number; readonly step: number }
  readonly runs: readonly PageRun[]
}

/** A trained network and its embedding of the images. */
export interface PageRun {
  /** With batch norm folded in. First in the floats: the weight [outputs][inputs] and the bias [outputs] of each. */
  readonly layers: readonly PageLayer[]
  /** The number of leading layers that are the encoder's. */
  readonly encoderLayers: number
  readonly latent: number
  /** The embedding's mean, [latent]. */
  readonly mean: readonly number[]
  /** The principal directions, the largest standard deviation first. */
  readonly directions: readonly PrincipalDirection[]
  // Last in the floats: each image's coordinates along the directions, [images][latent].
}

export interface PageLayer {
  readonly inputs: number
  readonly outputs: number
  readonly activation: Activation
  /** Factor of negative values; leaky ReLU only. */
  readonly slope?: number | undefined
}

/** The ends of a slider are ± this number of standard deviations. */
export const reach = 3

/** The number of pictures under a slider, from one end to the other. */
export const stripPictures = 7

/** Returns the columns of a picture in a strip, which has one more between two. Tall pictures get space at their sides. */
export function stripCell({ width, height }: ImageShape): number {
  return Math.max(width, height)
}
