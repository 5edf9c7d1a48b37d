import { z } from 'zod'
import { commonFields, type Penalty } from './penalty.js'

export const logMaxSchema = z.strictObject({ kind: z.literal('log-max'), ...commonFields })

/** ln(λ₁ / Σλ), λ = σ². The formula and its derivatives: native/penalties/log_max.cc. */
export const logMax: Penalty<z.output<typeof logMaxSchema>> = {
  parameters: () => ({}),
  mistake: () => null,
}
