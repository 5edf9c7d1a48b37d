import { z } from 'zod'
import { commonFields, type EigenLossKind } from './eigen-loss.js'

export const logMaxSchema = z.strictObject({ kind: z.literal('log-max'), ...commonFields })

/** ln(λ₁ / Σλ), λ = σ². The formula and its derivatives: native/eigen_losses/log_max.cc. */
export const logMax: EigenLossKind<z.output<typeof logMaxSchema>> = {
  parameters: () => ({}),
  mistake: () => null,
}
