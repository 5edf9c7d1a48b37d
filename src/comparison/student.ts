import { compiled, incbet, incbi } from 'cephes'

/** Cephes is WebAssembly: to be awaited once before the functions below. */
export async function loadDistributions(): Promise<void> {
  await compiled
}

/** P(|T| ≥ |t|) of Student's t with any positive degrees of freedom (Abramowitz and Stegun 26.7.1 by 26.5.27). */
export function twoSidedP(t: number, degreesOfFreedom: number): number {
  return incbet(degreesOfFreedom / 2, 0.5, degreesOfFreedom / (degreesOfFreedom + t * t))
}

const quantiles = new Map<string, number>()

/** The t that |T| stays under with this probability: 2.26 for 0.95 and 9 degrees of freedom. Each is found once. */
export function centralQuantile(probability: number, degreesOfFreedom: number): number {
  const key = `${probability} ${degreesOfFreedom}`
  const known = quantiles.get(key)
  if (known !== undefined) return known
  const x = incbi(degreesOfFreedom / 2, 0.5, 1 - probability)
  const quantile = Math.sqrt((degreesOfFreedom * (1 - x)) / x)
  quantiles.set(key, quantile)
  return quantile
}
