import { z } from 'zod'
import { commonFields, eigenLossKind, neverConstant } from './eigen-loss.js'

/**
 * The variance term of VICReg (Bardes et al., 2022): the mean shortfall of the dimensions' deviations from 1. The formula
 * and its derivatives: native/eigen_losses/variance.cc.
 */
export const variance = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('variance'), ...commonFields }),
  parameters: () => ({}),
  minimumImages: () => 2,
  isConstant: neverConstant,
})
