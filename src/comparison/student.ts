/**
 * Student's t distribution with any positive degrees of freedom n. P(|T| ≥ |t|) is the regularised incomplete beta function I_x(n/2, 1/2)
 * at x = n / (n + t²) (Abramowitz and Stegun 26.7.1 by 26.5.27; DLMF is the NIST Digital Library of Mathematical Functions).
 */

/** P(|T| ≥ |t|). */
export function twoSidedP(t: number, degreesOfFreedom: number): number {
  const a = degreesOfFreedom / 2
  const x = 1 / (1 + (t * t) / degreesOfFreedom)
  const y = 1 / (1 + degreesOfFreedom / (t * t))
  const front = betaFront(t, degreesOfFreedom)
  // The continued fraction of I_x(a, 1/2) converges fast up to this x, that of I_y(1/2, a) beyond it (DLMF 8.17.4).
  if (x < (a + 1) / (a + 2.5)) return (front / a) * betaFraction(a, 0.5, x)
  return 1 - 2 * front * betaFraction(0.5, a, y)
}

/** Returns the t for which P(|T| < t) is the given probability: 2.26 for 0.95 and 9 degrees of freedom. */
export function centralQuantile(probability: number, degreesOfFreedom: number): number {
  const target = Math.log1p(-probability)
  let logT = 0
  // Newton's method. log P(|T| ≥ t) is concave in log t, so a step from above the solution never passes it.
  for (let step = 1, tries = 0; Math.abs(step) > 2 * Number.EPSILON && tries < 100; tries++) {
    const t = Math.exp(logT)
    const p = twoSidedP(t, degreesOfFreedom)
    const slope = (-2 * betaFront(t, degreesOfFreedom)) / p
    step = (target - Math.log(p)) / slope
    logT += step
  }
  return Math.exp(logT)
}

/** x^a · (1 − x)^½ / B(a, ½) for a = n/2, which is also t times the density of T. */
function betaFront(t: number, degreesOfFreedom: number): number {
  const a = degreesOfFreedom / 2
  const power = Math.exp(-a * Math.log1p((t * t) / degreesOfFreedom))
  return power * Math.sqrt(1 / (1 + degreesOfFreedom / (t * t))) * (gammaRatio(a) / Math.sqrt(Math.PI))
}

/**
 * Γ(a + ½) / Γ(a), from its series in w = a − ¼ (DLMF 5.11.14), which is exact to double precision from w = 20 on. For
 * smaller a, Γ(z + 1) = z Γ(z) is applied.
 */
function gammaRatio(a: number): number {
  let factor = 1
  let z = a
  for (; z < 21; z++) factor *= z / (z + 0.5)
  const u = 1 / (z - 0.25) ** 2
  const series = 1 + u * (1 / 64 + u * (-19 / 8192 + u * (631 / 524288 - u * (174317 / 134217728))))
  return factor * Math.sqrt(z - 0.25) * series
}

/** The continued fraction of I_x(a, b) · a · B(a, b) / (x^a (1 − x)^b) (DLMF 8.17.22), by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  let d = 1 / (1 - ((a + b) * x) / (a + 1))
  let c = 1
  let value = d
  for (let m = 1, change = 0; Math.abs(change - 1) > Number.EPSILON && m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / (1 + even * d)
    c = 1 + even / c
    value *= c * d
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / (1 + odd * d)
    c = 1 + odd / c
    change = c * d
    value *= change
  }
  return value
}
