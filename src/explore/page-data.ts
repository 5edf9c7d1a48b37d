import type { Activation } from '../model/architecture.js'
import type { PrincipalDirection } from '../spectrum/principal-directions.js'

/**
 * What the page holds as JSON in the element "explore-data". The numbers are in two elements beside it, gzipped, in
 * base64: "explore-floats", little-endian float32, in the order in which `PageRun` names them, run after run; and
 * "explore-pixels", the images as bytes.
 */
export interface PageData {
  /** An image is side × side pixels. */
  readonly side: number
  /** Of each image, 0 to 255. */
  readonly labels: readonly number[]
  readonly noise: { readonly initial: number; readonly maximum: number; readonly step: number }
  readonly runs: readonly PageRun[]
}

/** A trained network and how it embeds the images. */
export interface PageRun {
  /** Batch norm is folded in. Floats: the weight [out, in] and the bias [out] of each. */
  readonly layers: readonly PageLayer[]
  /** As many of the layers are the encoder's. */
  readonly encoderLayers: number
  readonly latent: number
  /** The embedding's mean, [latent]. */
  readonly mean: readonly number[]
  /** The principal directions, the largest standard deviation first. */
  readonly directions: readonly PrincipalDirection[]
  // Floats, at last: each image's coordinates along the directions, [images][latent].
}

export interface PageLayer {
  readonly inputs: number
  readonly outputs: number
  readonly activation: Activation
}

/** As far as a slider goes to both sides, in standard deviations. */
export const reach = 3

/** So many pictures stand under a slider, from one end of it to the other. */
export const stripPictures = 7
