import { besselFactor } from './bessel-factor.js'
import type { CovarianceFormula } from './eigen-loss.js'

/**
 * VICReg's covariance term (Bardes, Ponce and LeCun 2022, equation 4): f = 1/d · Σ_{i≠j} (b·Cᵢⱼ)² with b = N/(N − 1), so
 * ∂f/∂Cᵢⱼ = 2b²·Cᵢⱼ / d for i ≠ j.
 */
export const covariance: CovarianceFormula = (ops, { covariance, count, width }) => {
  const factor = besselFactor(ops, count)
  const zeros = ops.zerosLike(ops.diagonal(covariance))
  const offDiagonal = ops.multiply(ops.withDiagonal(covariance, zeros), factor)
  const slope = ops.multiply(factor, ops.double(2 / width))
  return {
    value: ops.multiply(ops.sum(ops.square(offDiagonal), [1, 2]), ops.double(1 / width)),
    byMean: null,
    byCovariance: ops.multiply(offDiagonal, slope),
  }
}
