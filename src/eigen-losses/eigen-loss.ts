import { z } from 'zod'
import { type ScheduledConfig, scheduledSchema } from '../config/schedule.js'

/** The layers that an eigen loss acts on. */
export type LayerChoice = 'latent' | 'hidden' | 'all' | readonly string[]

/** The config fields that every eigen loss has. */
export interface EigenLossConfig {
  readonly kind: string
  /** Factor of the eigen loss in the loss. */
  readonly weight: ScheduledConfig
  readonly layers: LayerChoice
  /** Whether the batch's mean is subtracted from a layer's matrix first. Absent from kinds that do so by definition. */
  readonly center?: boolean
}

/** A problem with one key of an eigen loss's config. */
export interface EigenLossMistake {
  readonly key: string
  readonly problem: string
}

/** The config half of an eigen loss, a row of the table in index.ts. The formula is in native/eigen_losses. */
export interface EigenLossKind<Schema extends z.ZodType<EigenLossConfig> = z.ZodType<EigenLossConfig>> {
  /** The kind's name, its own fields, `commonFields` and, if the formula allows both, `center`. */
  readonly schema: Schema
  /** Returns the numbers that the formula needs besides a layer's matrix, by the names that the engines use. */
  parameters(config: z.output<Schema>): Readonly<Record<string, number>>
  /** Returns the smallest number of images in a batch for which the loss is defined on a layer of the given width. */
  minimumImages(width: number): number
  /** Returns whether the loss has the same value for every matrix of a layer of the given width, so that it has no gradient. */
  isConstant(config: z.output<Schema>, width: number): boolean
  /** Returns a mistake that depends on the width of a layer, or null. `layer` names the layer for messages. */
  mistake?(config: z.output<Schema>, width: number, layer: string): EigenLossMistake | null
}

/** The smallest batch of a loss on the spectrum: a matrix of fewer images has fewer singular values than dimensions. */
export const moreImagesThanDimensions = (width: number) => width + 1

/**
 * The smallest batch of a loss whose ε keeps the logarithm of the eigenvalue finite that is always 0 then, because the
 * mean has been subtracted. In a smaller batch most of the loss would be such eigenvalues.
 */
export const imagesAsDimensions = (width: number) => width

export const commonFields = {
  weight: scheduledSchema(z.number())
    .default(1)
    .describe('Factor of the eigen loss in the loss: a number, or a schedule.'),
  layers: z
    .union([z.enum(['latent', 'hidden', 'all']), z.array(z.string()).min(1)], {
      error: 'must be "latent" or "hidden" or "all", or a list of layers like ["encoder.1", "latent"]',
    })
    .default('latent')
    .describe(
      'Layers that the loss acts on, by its mean over them: the latent layer, the hidden ones (by their linear outputs), all, or those with the given names.',
    ),
}

export const center = z
  .boolean()
  .default(false)
  .describe("Subtract the batch's mean from a layer's matrix before its singular values are computed.")

/** The config field of kinds with a logarithm of eigenvalues or variances. */
export const epsilon = z
  .number()
  .min(1e-8)
  .default(0.01)
  .describe(
    'Added to the eigenvalues or variances whose logarithm is taken; it bounds the loss where they are 0.',
  )

/** A loss on the relations between dimensions or singular values: there are none in a layer of one dimension. */
export const constantInOneDimension = (_config: EigenLossConfig, width: number) => width === 1

export const neverConstant = () => false

/** Checks that a kind's functions take the config of its schema. */
export function eigenLossKind<Schema extends z.ZodType<EigenLossConfig>>(
  kind: EigenLossKind<Schema>,
): EigenLossKind<Schema> {
  return kind
}
