import { z } from 'zod'
import {
  center,
  commonFields,
  constantInOneDimension,
  eigenLossKind,
  moreImagesThanDimensions,
} from './eigen-loss.js'

/**
 * ln d + Σ p ln p with p = σ/Σσ: 0 if all d singular values are equal, ln d if there is only one. It is ln d minus the
 * logarithm of the effective rank (Roy and Vetterli, "The effective rank", 2007). The formula and its derivatives:
 * native/eigen_losses/entropy.cc.
 */
export const entropy = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('entropy'), ...commonFields, center }),
  parameters: () => ({}),
  minimumImages: moreImagesThanDimensions,
  isConstant: constantInOneDimension,
})
