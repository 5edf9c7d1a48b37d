/** A bound for numbers that are not finite; otherwise 4 to 15 sweeps are needed. */
export const maximumSweeps = 60

/**
 * Returns the rotation (a, b) → (cosine·a − sine·b, sine·a + cosine·b) that makes [[α, γ], [γ, β]] diagonal, by the smaller
 * of the two angles (Golub and Van Loan, "Matrix Computations", 8.5.2). α loses tan·γ, and β gains it.
 */
export function jacobiRotation(alpha: number, beta: number, gamma: number) {
  const zeta = (beta - alpha) / (2 * gamma)
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  return { cosine, sine: cosine * tangent }
}
