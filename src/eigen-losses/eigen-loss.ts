import { z } from 'zod'

/** The config fields that every eigen loss has. */
export interface EigenLossConfig {
  readonly kind: string
  /** Factor of the eigen loss in the loss. */
  readonly weight: number
  /** Whether the batch's mean is subtracted from the embedding before its singular values are computed. */
  readonly center: boolean
}

/** A problem with one key of an eigen loss's config. */
export interface EigenLossMistake {
  readonly key: string
  readonly problem: string
}

/** The config half of an eigen loss, a row of the table in index.ts. The formula is in native/eigen_losses. */
export interface EigenLossKind<Schema extends z.ZodType<EigenLossConfig> = z.ZodType<EigenLossConfig>> {
  /** The kind's name, its own fields and `commonFields`. */
  readonly schema: Schema
  /** Returns the numbers that the formula needs besides the singular values, by the names that the engines use. */
  parameters(config: z.output<Schema>): Readonly<Record<string, number>>
  /** Returns a mistake that depends on the latent's width, or null. */
  mistake?(config: z.output<Schema>, latent: number): EigenLossMistake | null
}

export const commonFields = {
  weight: z.number().default(1).describe('Factor of the eigen loss in the loss.'),
  center: z
    .boolean()
    .default(false)
    .describe("Subtract the batch's mean from the embedding before its singular values are computed."),
}

/** Checks that a kind's functions take the config of its schema. */
export function eigenLossKind<Schema extends z.ZodType<EigenLossConfig>>(
  kind: EigenLossKind<Schema>,
): EigenLossKind<Schema> {
  return kind
}
