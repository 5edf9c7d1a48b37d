import { z } from 'zod'
import { commonFields, constantInOneDimension, eigenLossKind } from './eigen-loss.js'

/**
 * The off-diagonal term of Barlow Twins (Zbontar et al., 2021) with one view: the sum of the squared correlations of all
 * pairs of dimensions. The formula and its derivatives: native/eigen_losses/decorrelation.cc.
 */
export const decorrelation = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('decorrelation'), ...commonFields }),
  parameters: () => ({}),
  minimumImages: () => 2,
  isConstant: constantInOneDimension,
})
