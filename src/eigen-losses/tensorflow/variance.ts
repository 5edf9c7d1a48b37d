import { besselFactor } from './bessel-factor.js'
import type { VariancesFormula } from './eigen-loss.js'

/** Added to a variance before its square root is taken: VICReg's ε. */
const epsilon = 1e-4

/**
 * VICReg's variance term (Bardes, Ponce and LeCun 2022, equation 1) with γ = 1: f = 1/d · Σ max(0, 1 − sᵢ) with
 * sᵢ = sqrt(b·vᵢ + ε), b = N/(N − 1), so ∂f/∂vᵢ = −b / (2d·sᵢ) where sᵢ < 1.
 */
export const variance: VariancesFormula = (ops, { variances, count, width }) => {
  const [zero, one] = [ops.double(0), ops.double(1)]
  const factor = besselFactor(ops, count)
  const deviations = ops.squareRoot(ops.add(ops.multiply(variances, factor), ops.double(epsilon)))
  const shortfalls = ops.maximum(ops.subtract(one, deviations), zero)
  const slopes = ops.divide(ops.multiply(factor, ops.double(-1 / (2 * width))), deviations)
  return {
    value: ops.multiply(ops.sum(shortfalls, [2]), ops.double(1 / width)),
    byMean: null,
    byVariances: ops.select(ops.greater(one, deviations), slopes, zero),
  }
}
