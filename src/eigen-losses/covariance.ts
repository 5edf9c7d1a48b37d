import { z } from 'zod'
import { commonFields, constantInOneDimension, eigenLossKind } from './eigen-loss.js'

/**
 * The covariance term of VICReg (Bardes et al., 2022): the squared covariances of all pairs of dimensions, summed, over
 * the number of dimensions. The formula and its derivatives: native/eigen_losses/covariance.cc.
 */
export const covariance = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('covariance'), ...commonFields }),
  parameters: () => ({}),
  minimumImages: () => 2,
  isConstant: constantInOneDimension,
})
