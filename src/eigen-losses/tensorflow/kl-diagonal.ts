import type { VariancesFormula } from './eigen-loss.js'

/**
 * kl-normal without the covariances: f = 1/2d · Σ (mᵢ² + vᵢ − 1 − ln(vᵢ + ε)), so ∂f/∂m = m/d and
 * ∂f/∂vᵢ = (1 − 1/(vᵢ + ε)) / 2d.
 */
export const klDiagonal: VariancesFormula = (ops, { mean, variances, width }, { epsilon }) => {
  const one = ops.double(1)
  const half = ops.double(1 / (2 * width))
  const shifted = ops.add(variances, ops.double(epsilon!))
  const terms = ops.subtract(ops.subtract(variances, one), ops.logarithm(shifted))
  const sum = ops.sum(ops.add(ops.square(mean), terms), [2])
  return {
    value: ops.multiply(sum, half),
    byMean: ops.multiply(mean, ops.double(1 / width)),
    byVariances: ops.multiply(ops.subtract(one, ops.divide(one, shifted)), half),
  }
}
