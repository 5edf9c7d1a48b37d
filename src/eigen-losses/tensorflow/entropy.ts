import type { SpectrumFormula } from './eigen-loss.js'

/** f = ln d + Σ p ln p with p = σ/Σσ, so ∂f/∂σᵢ = (ln pᵢ − Σ p ln p) / Σσ. */
export const entropy: SpectrumFormula = (ops, sigma, width) => {
  const sum = ops.sum(sigma, [1])
  const share = ops.divide(sigma, sum)
  // The limit of p ln p is 0. The graph computes both branches, so the logarithm must be finite where p is 0.
  const logarithm = ops.logarithm(ops.add(share, ops.double(1e-300)))
  const plogp = ops.sum(ops.multiply(share, logarithm), [1])
  return {
    value: ops.add(plogp, ops.double(Math.log(width))),
    derivatives: ops.divide(ops.subtract(logarithm, plogp), sum),
  }
}
