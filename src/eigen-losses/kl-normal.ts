import { z } from 'zod'
import { commonFields, eigenLossKind, epsilon, imagesAsDimensions, neverConstant } from './eigen-loss.js'

/**
 * The divergence of the normal distribution with the layer's means m and covariance, whose eigenvalues are λ, from N(0, I),
 * for each of the d dimensions: (‖m‖² + Σ(λ − 1 − ln(λ + ε))) / 2d. The formula, its derivatives and its source:
 * native/eigen_losses/kl_normal.cc.
 */
export const klNormal = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('kl-normal'), ...commonFields, epsilon }),
  parameters: ({ epsilon }) => ({ epsilon }),
  minimumImages: imagesAsDimensions,
  isConstant: neverConstant,
})
