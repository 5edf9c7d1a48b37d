import { batchNormEpsilon } from '../../model/architecture.js'
import type { CovarianceFormula } from './eigen-loss.js'

/**
 * Barlow Twins' redundancy reduction term of one view (Zbontar, Jing, Misra, LeCun and Deny 2021, equation 1):
 * f = Σ_{i≠j} Rᵢⱼ² with Rᵢⱼ = sᵢ·sⱼ·Cᵢⱼ and sᵢ = 1/sqrt(Cᵢᵢ + ε), ε batch norm's. So ∂f/∂Cᵢⱼ = 2·sᵢ·sⱼ·Rᵢⱼ for i ≠ j, and
 * ∂f/∂Cᵢᵢ = −2·sᵢ² Σ_{j≠i} Rᵢⱼ² by way of s.
 */
export const decorrelation: CovarianceFormula = (ops, { covariance, width }) => {
  const variances = ops.diagonal(covariance)
  const inverses = ops.inverseSquareRoot(ops.add(variances, ops.double(batchNormEpsilon)))
  const scales = ops.multiply(ops.reshape(inverses, [-1, width, 1]), ops.reshape(inverses, [-1, 1, width]))
  const offDiagonal = ops.withDiagonal(covariance, ops.zerosLike(variances))
  const correlations = ops.multiply(offDiagonal, scales)
  const squares = ops.square(correlations)
  const rowSums = ops.reshape(ops.sum(squares, [2]), [-1, width])
  const ownSlopes = ops.multiply(ops.double(-2), ops.multiply(ops.square(inverses), rowSums))
  const slopes = ops.multiply(ops.double(2), ops.multiply(correlations, scales))
  return {
    value: ops.sum(squares, [1, 2]),
    byMean: null,
    byCovariance: ops.withDiagonal(slopes, ownSlopes),
  }
}
