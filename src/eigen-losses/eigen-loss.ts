import { z } from 'zod'

/** An eigen loss on the singular values of the bottleneck's outputs, as the config gives it. */
export interface EigenLossConfig {
  readonly kind: string
  /** What the eigen loss is multiplied by in the loss. */
  readonly weight: number
  /** Whether the batch's mean is subtracted from the embedding first. */
  readonly center: boolean
}

/** What is wrong with one key of an eigen loss's config. */
export interface EigenLossMistake {
  readonly key: string
  readonly what: string
}

/** A row of the table in index.ts: what an eigen loss's config may hold and how an engine is told of it. */
export interface EigenLossKind<Config extends EigenLossConfig = EigenLossConfig> {
  /** The numbers that its formula needs besides the singular values, by the name the engines know. */
  parameters(config: Config): Readonly<Record<string, number>>
  /** A mistake that only shows beside the bottleneck's width. */
  mistake(config: Config, latent: number): EigenLossMistake | null
}

/** The fields that every eigen loss's config has. */
export const commonFields = {
  weight: z.number().default(1).describe('What the eigen loss is multiplied by in the loss.'),
  center: z
    .boolean()
    .default(false)
    .describe("Subtract the batch's mean from the embedding before its singular values are taken."),
}
