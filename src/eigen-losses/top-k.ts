import { z } from 'zod'
import { center, commonFields, eigenLossKind, moreImagesThanDimensions } from './eigen-loss.js'

/** (σ₁ + … + σ_k) / Σσ. The formula and its derivatives: native/eigen_losses/top_k.cc. */
export const topK = eigenLossKind({
  schema: z.strictObject({
    kind: z.literal('top-k').default('top-k'),
    k: z.int().min(1).default(2).describe('Number of the largest singular values in the numerator.'),
    ...commonFields,
    center,
  }),
  parameters: ({ k }) => ({ k }),
  minimumImages: moreImagesThanDimensions,
  // All singular values have the share 1.
  isConstant: ({ k }, width) => k === width,
  mistake: ({ k }, width, layer) =>
    k > width
      ? {
          key: 'k',
          problem: `must be under ${width}, ${layer === 'latent' ? "the latent's width" : `the width of ${layer}`}`,
        }
      : null,
})
