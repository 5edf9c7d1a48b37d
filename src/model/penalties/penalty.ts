import { z } from 'zod'

/** A penalty on the singular values of the bottleneck's outputs, as the config gives it. */
export interface PenaltyConfig {
  readonly kind: string
  /** What the penalty is multiplied by in the loss. */
  readonly weight: number
  /** Whether the batch's mean is subtracted from the embedding first. */
  readonly center: boolean
}

/** What is wrong with one key of a penalty's config. */
export interface PenaltyMistake {
  readonly key: string
  readonly what: string
}

/** A row of the table in index.ts: what a penalty's config may hold and how an engine is told of it. */
export interface Penalty<Config extends PenaltyConfig = PenaltyConfig> {
  /** The numbers that its formula needs besides the singular values, by the name the engines know. */
  parameters(config: Config): Readonly<Record<string, number>>
  /** A mistake that only shows beside the bottleneck's width. */
  mistake(config: Config, latent: number): PenaltyMistake | null
}

/** The fields that every penalty's config has. */
export const commonFields = {
  weight: z.number().default(1).describe('What the penalty is multiplied by in the loss.'),
  center: z
    .boolean()
    .default(false)
    .describe("Subtract the batch's mean from the embedding before its singular values are taken."),
}
