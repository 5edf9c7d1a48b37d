import { philoxInto, purpose } from '../model/random.js'

const confidence = 0.95

/** The probability with which a test finds the detectable difference. */
export const power = 0.8

/** Intervals over fewer seeds are wide: with 5 values, Student's t is 2.8; with 3 it is 4.3, and with 2 it is 12.7. */
export const enoughSeeds = 5

/** Over fewer seeds nothing is tested, and an interval beyond the possible values of its metric is left out. */
export const fewestTested = 3

interface Interval {
  readonly low: number
  readonly high: number
}

/** Statistics of a sample; null if a single value cannot give them. */
export interface Summary {
  readonly n: number
  readonly mean: number
  /** The sample standard deviation, with n − 1. */
  readonly sd: number | null
  /** The confidence interval of the mean, by Student's t. */
  readonly interval: Interval | null
}

/** @param range the possible values */
export function summarise(
  values: readonly number[],
  [low, high]: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
): Summary {
  const n = values.length
  const mean = meanOf(values)
  if (n < 2) return { n, mean, sd: null, interval: null }
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1))
  const interval = intervalAround(mean, sd / Math.sqrt(n), n - 1)
  const isImpossible = n < fewestTested && (interval.low < low || interval.high > high)
  return { n, mean, sd, interval: isImpossible ? null : interval }
}

/** The tests by their names in files. */
export const testNames = {
  paired: 'paired t-test over the same seeds',
  welch: "Welch's t-test",
} as const

type TestKind = keyof typeof testNames

/**
 * The difference between a sample and the baseline. Test, interval and the detectable difference are null if a sample has
 * fewer values than `fewestTested`, or none varies.
 */
export interface Difference {
  /** Mean minus the baseline's mean. */
  readonly difference: number
  readonly interval: Interval | null
  readonly test: Test | null
  /** The smallest true difference that the test would find with the probability `power`. */
  readonly detectable: number | null
  readonly hedgesG: number | null
}

export interface Test {
  readonly kind: TestKind
  readonly t: number
  readonly degreesOfFreedom: number
  /** Two-sided, before any correction. */
  readonly p: number
}

/** Welch's test (Welch 1947; degrees of freedom by Satterthwaite 1946), which does not assume equal variances. */
export function welchTest(sample: readonly number[], baseline: readonly number[]): Difference {
  const [a, b] = [summarise(sample), summarise(baseline)]
  const [u, v] = [(a.sd ?? 0) ** 2 / a.n, (b.sd ?? 0) ** 2 / b.n]
  const degreesOfFreedom = (u + v) ** 2 / (u ** 2 / (a.n - 1) + v ** 2 / (b.n - 1))
  const standardError = a.sd !== null && b.sd !== null ? Math.sqrt(u + v) : 0
  const estimate = { difference: a.mean - b.mean, standardError, degreesOfFreedom }
  return testDifference('welch', sample, baseline, estimate)
}

/** Student's paired test. Both samples have the same order of seeds. */
export function pairedTest(sample: readonly number[], baseline: readonly number[]): Difference {
  const { n, mean, sd } = summarise(sample.map((value, index) => value - baseline[index]!))
  const estimate = { difference: mean, standardError: (sd ?? 0) / Math.sqrt(n), degreesOfFreedom: n - 1 }
  return testDifference('paired', sample, baseline, estimate)
}

function testDifference(
  kind: TestKind,
  sample: readonly number[],
  baseline: readonly number[],
  estimate: {
    readonly difference: number
    readonly standardError: number
    readonly degreesOfFreedom: number
  },
): Difference {
  const { difference, standardError, degreesOfFreedom } = estimate
  // Values that do not vary still leave a spread of some last bits, which must not be tested. Its size depends on the values
  // that were subtracted, not on their difference.
  const rounding = 4 * Number.EPSILON * Math.max(...[...sample, ...baseline].map(Math.abs))
  const g = hedgesG(summarise(sample), summarise(baseline), rounding)
  const isTested = Math.min(sample.length, baseline.length) >= fewestTested
  if (!isTested || !(standardError > rounding))
    return { difference, interval: null, test: null, detectable: null, hedgesG: g }
  const t = difference / standardError
  return {
    difference,
    interval: intervalAround(difference, standardError, degreesOfFreedom),
    test: { kind, t, degreesOfFreedom, p: twoSidedP(t, degreesOfFreedom) },
    detectable: detectableDifference(standardError, degreesOfFreedom),
    hedgesG: g,
  }
}

/**
 * The smallest true difference that a two-sided test at p < 0.05, before any correction, finds with the probability
 * `power`: (t₀.₉₇₅ + t₀.₈) standard errors (Bloom 1995, "Minimum detectable effects"). By the noncentral t distribution, that
 * probability is 0.77 for three pairs, 0.79 for five and 0.80 from ten on.
 */
function detectableDifference(standardError: number, degreesOfFreedom: number): number {
  const significant = centralQuantile(confidence, degreesOfFreedom)
  const powerful = centralQuantile(2 * power - 1, degreesOfFreedom)
  return (significant + powerful) * standardError
}

/**
 * Hedges' g: the difference in pooled standard deviations, with the correction for small samples J ≈ 1 − 3 / (4·df − 1)
 * (Hedges 1981). Pairs use the same formula, so that the values of all arms are comparable (Lakens 2013).
 */
function hedgesG(a: Summary, b: Summary, rounding: number): number | null {
  if (a.sd === null || b.sd === null) return null
  const degreesOfFreedom = a.n + b.n - 2
  const pooled = Math.sqrt(((a.n - 1) * a.sd ** 2 + (b.n - 1) * b.sd ** 2) / degreesOfFreedom)
  if (!(pooled > rounding)) return null
  return ((a.mean - b.mean) / pooled) * (1 - 3 / (4 * degreesOfFreedom - 1))
}

/**
 * Holm's step-down correction (Holm 1979): the smallest of m p-values times m, the next times m − 1, … Returns the corrected
 * values in the order of the given ones; each is at most 1, and not below the corrected value of a smaller one.
 */
export function correctByHolm(pValues: readonly number[]): readonly number[] {
  const ascending = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p)
  const corrected = new Array<number>(pValues.length)
  let reached = 0
  for (const [rank, { p, index }] of ascending.entries()) {
    reached = Math.max(reached, Math.min(1, (pValues.length - rank) * p))
    corrected[index] = reached
  }
  return corrected
}

const resamples = 2000

/**
 * Estimates by how much the mean of an arm that was chosen on its seeds is better there than on new seeds. In each bootstrap
 * resample of the seeds, the arm with the best mean is chosen and measured on the seeds that the resample leaves out
 * (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and accurate
 * cross-validation"). There it is compared with the arm that all seeds choose: over the resamples, that arm's mean on the
 * seeds left out is its mean on all seeds. So the estimate is 0 if all resamples choose the same arm.
 * @param samples [arm][seed], with the best arm first. The arms have the same seeds, at least two
 */
export function optimismOf(samples: readonly (readonly number[])[], better: 'lower' | 'higher'): number {
  const sign = better === 'lower' ? 1 : -1
  const best = samples[0]!
  const block = new Uint32Array(4)
  let sum = 0
  let measured = 0
  for (let resample = 0; resample < resamples; resample++) {
    const counts = best.map(() => 0)
    for (let draw = 0; draw < best.length; draw++) {
      if (draw % 4 === 0) philoxInto(block, draw / 4, resample, 0, 0, 0, purpose.bootstrap)
      counts[Math.floor((block[draw % 4]! * best.length) / 2 ** 32)]!++
    }
    const out = [...counts.keys()].filter((seed) => counts[seed] === 0)
    if (out.length === 0) continue
    const costOf = (values: readonly number[]) =>
      counts.reduce((cost, count, seed) => cost + sign * count * values[seed]!, 0)
    let chosen = best
    let lowest = costOf(best)
    for (const values of samples) {
      const cost = costOf(values)
      if (cost < lowest) [chosen, lowest] = [values, cost]
    }
    sum += meanOf(out.map((seed) => sign * (chosen[seed]! - best[seed]!)))
    measured++
  }
  return sum / measured
}

function intervalAround(center: number, standardError: number, degreesOfFreedom: number): Interval {
  const half = centralQuantile(confidence, degreesOfFreedom) * standardError
  return { low: center - half, high: center + half }
}

/** Returns exactly the common value if all values are equal. A plain sum of equal numbers may round. */
export function meanOf(values: readonly number[]): number {
  const first = values[0]!
  return first + values.reduce((sum, value) => sum + (value - first), 0) / values.length
}

// Student's t distribution with any positive degrees of freedom n. P(|T| ≥ |t|) is the regularised incomplete beta function
// I_x(n/2, 1/2) at x = n / (n + t²) (Abramowitz and Stegun 26.7.1 by 26.5.27; DLMF is the NIST Digital Library of Mathematical
// Functions).

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
