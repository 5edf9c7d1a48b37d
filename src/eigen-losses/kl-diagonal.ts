import { z } from 'zod'
import { commonFields, eigenLossKind, epsilon, neverConstant } from './eigen-loss.js'

/**
 * `kl-normal` by each dimension's mean and variance alone, for any width at any batch size. The formula and its
 * derivatives: native/eigen_losses/kl_diagonal.cc.
 */
export const klDiagonal = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('kl-diagonal'), ...commonFields, epsilon }),
  parameters: ({ epsilon }) => ({ epsilon }),
  minimumImages: () => 1,
  isConstant: neverConstant,
})
