import { z } from 'zod'
import {
  center,
  commonFields,
  eigenLossKind,
  epsilon,
  imagesAsDimensions,
  neverConstant,
} from './eigen-loss.js'

/** −mean ln(λ/N + ε), λ = σ², for N images. The formula and its derivatives: native/eigen_losses/log_det.cc. */
export const logDet = eigenLossKind({
  schema: z.strictObject({ kind: z.literal('log-det'), ...commonFields, center, epsilon }),
  parameters: ({ epsilon }) => ({ epsilon }),
  minimumImages: imagesAsDimensions,
  isConstant: neverConstant,
})
