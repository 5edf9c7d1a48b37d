import type { CovarianceFormula } from './eigen-loss.js'
import { logDeterminant } from './log-determinant.js'

/**
 * KL(N(m, C) ‖ N(0, I)) / d with ε in the logarithm: f = 1/2d · (‖m‖² + tr C − d − ln det(C + εI)), so ∂f/∂m = m/d and
 * ∂f/∂C = (I − (C + εI)⁻¹) / 2d.
 */
export const klNormal: CovarianceFormula = (ops, { mean, covariance, width }, { epsilon }) => {
  const half = ops.double(1 / (2 * width))
  const { value, inverse } = logDeterminant(ops, covariance, epsilon!, width)
  const trace = ops.reshape(ops.sum(ops.diagonal(covariance), [1]), [-1, 1, 1])
  const squares = ops.add(ops.sum(ops.square(mean), [2]), trace)
  const sum = ops.subtract(ops.subtract(squares, ops.double(width)), value)
  const identity = ops.diagonalMatrix(ops.doubles(Array<number>(width).fill(1)))
  return {
    value: ops.multiply(sum, half),
    byMean: ops.multiply(mean, ops.double(1 / width)),
    byCovariance: ops.multiply(ops.subtract(identity, inverse), half),
  }
}
