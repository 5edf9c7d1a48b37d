import { z } from 'zod'
import { commonFields, eigenLossKind } from './eigen-loss.js'

/** (σ₁ + … + σ_k) / Σσ. The formula and its derivatives: native/eigen_losses/top_k.cc. */
export const topK = eigenLossKind({
  schema: z.strictObject({
    kind: z.literal('top-k').default('top-k'),
    k: z.int().min(1).default(2).describe('Number of the largest singular values in the numerator.'),
    ...commonFields,
  }),
  parameters: ({ k }) => ({ k }),
  mistake: ({ k }, latent) =>
    k > latent ? { key: 'k', problem: `must be at most ${latent}, the latent's width` } : null,
})
