import type { SpectrumFormula } from './eigen-loss.js'

/** f = ln(λ₁ / Σλ) with λ = σ², so ∂f/∂σᵢ = 2·[i = 1]/σ₁ − 2·σᵢ/Σλ. */
export const logMax: SpectrumFormula = (ops, sigma, width) => {
  const first = ops.doubles(Array.from({ length: width }, (_, i) => (i === 0 ? 1 : 0)))
  const lambda = ops.square(sigma)
  const sum = ops.sum(lambda, [1])
  const value = ops.logarithm(ops.divide(ops.sum(ops.multiply(lambda, first), [1]), sum))
  const largest = ops.sum(ops.multiply(sigma, first), [1])
  const share = ops.subtract(ops.divide(first, largest), ops.divide(sigma, sum))
  return { value, derivatives: ops.multiply(ops.double(2), share) }
}
