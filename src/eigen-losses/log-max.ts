import { z } from 'zod'
import {
  center,
  commonFields,
  constantInOneDimension,
  eigenLossKind,
  moreImagesThanDimensions,
} from './eigen-loss.js'

/** ln(λ₁ / Σλ), λ = σ². The formula and its derivatives: native/eigen_losses/log_max.cc. */
export const logMax = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('log-max'), ...commonFields, center }),
  parameters: () => ({}),
  minimumImages: moreImagesThanDimensions,
  isConstant: constantInOneDimension,
})
