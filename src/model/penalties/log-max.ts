import { z } from 'zod'
import { commonFields, type Penalty } from './penalty.js'

export const logMaxSchema = z
  .strictObject({
    kind: z.literal('log-max'),
    k: z.int().min(1).optional().describe('Not used here: allowed so that "kind" alone can be changed.'),
    ...commonFields,
  })
  .transform(({ kind, weight, center }) => ({ kind, weight, center }))

/** ln(λ₁ / Σλ), λ = σ². The formula and its derivatives: native/penalties/log_max.cc. */
export const logMax: Penalty<z.output<typeof logMaxSchema>> = {
  parameters: () => ({}),
  mistake: () => null,
}
