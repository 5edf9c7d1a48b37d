import { z } from 'zod'
import { commonFields, type EigenLossKind } from './eigen-loss.js'

export const topKSchema = z.strictObject({
  kind: z.literal('top-k').default('top-k'),
  k: z.int().min(1).default(2).describe('How many of the largest singular values are penalised.'),
  ...commonFields,
})

/** (σ₁ + … + σ_k) / Σσ. The formula and its derivatives: native/eigen_losses/top_k.cc. */
export const topK: EigenLossKind<z.output<typeof topKSchema>> = {
  parameters: ({ k }) => ({ k }),
  mistake: ({ k }, latent) =>
    k > latent ? { key: 'k', what: `must not be over the bottleneck's width of ${latent}` } : null,
}
