import type { CovarianceFormula } from './eigen-loss.js'
import { logDeterminant } from './log-determinant.js'

/**
 * f = −1/d · Σ ln(λᵢ/N + ε) with λ = σ²: −1/d · ln det(S + εI), where S = ZᵀZ/N is C + mᵀm, or C if Z is centred. So
 * ∂f/∂C = −(S + εI)⁻¹/d, and ∂f/∂m = 2m·∂f/∂C if Z is not centred.
 */
export const logDet: CovarianceFormula = (ops, { mean, covariance, center, width }, { epsilon }) => {
  const second = center ? covariance : ops.add(covariance, ops.matMul(mean, mean, { transposeA: true }))
  const { value, inverse } = logDeterminant(ops, second, epsilon!, width)
  const byCovariance = ops.multiply(inverse, ops.double(-1 / width))
  return {
    value: ops.multiply(value, ops.double(-1 / width)),
    byMean: center ? null : ops.multiply(ops.double(2), ops.matMul(mean, byCovariance)),
    byCovariance,
  }
}
