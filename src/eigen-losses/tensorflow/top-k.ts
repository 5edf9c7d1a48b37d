import type { SpectrumFormula } from './eigen-loss.js'

/** f = (σ₁ + … + σ_k) / Σσ, so ∂f/∂σᵢ = ([i ≤ k] − f) / Σσ. */
export const topK: SpectrumFormula = (ops, sigma, width, { k }) => {
  const top = ops.doubles(Array.from({ length: width }, (_, i) => (i < k! ? 1 : 0)))
  const sum = ops.sum(sigma, [1])
  const value = ops.divide(ops.sum(ops.multiply(sigma, top), [1]), sum)
  return { value, derivatives: ops.divide(ops.subtract(top, value), sum) }
}
