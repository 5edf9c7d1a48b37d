/** The ranges of axes and colours. */
import type { Spec } from './chart.js'

export type Domain = readonly [low: number, high: number]

/** Returns a domain around values, with a margin below and above. */
export function domainAround(values: readonly number[], log = false): Domain {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > 0))
  if (finite.length === 0) return log ? [0.1, 1] : [0, 1]
  const [low, high] = extremesOf(finite)
  if (log)
    return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.04, high * (high / low) ** 0.04]
  const margin = 0.04 * (high - low) || 0.1 * Math.abs(high) || 0.1
  // A quantity that is never negative has no axis below 0.
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin]
}

/** Interquartile ranges from the others at which an arm counts as diverged and is drawn at the edge. */
export const farAway = 3

/**
 * Returns the range of the values without those far outside (Tukey's fences), which would leave the others no space or a
 * single colour. @param reach the number of interquartile ranges that count as near
 */
export function withoutOutliers(values: readonly number[], reach: number): Domain {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const quartile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!
  const margin = reach * (quartile(0.75) - quartile(0.25))
  const near = sorted.filter((value) => value >= quartile(0.25) - margin && value <= quartile(0.75) + margin)
  return [near[0]!, near.at(-1)!]
}

/** Returns an axis with the powers of ten alone if there are several: lines at 2, 3, …, 9 times each would be too many. */
export function logAxis([low, high]: Domain): Spec {
  const first = Math.ceil(Math.log10(low) - 1e-9)
  const last = Math.floor(Math.log10(high) + 1e-9)
  if (last - first < 1) return { format: '~g', tickCount: 4 }
  return {
    format: '~g',
    values: Array.from({ length: last - first + 1 }, (_, power) => 10 ** (first + power)),
  }
}

/** Whether a logarithmic axis shows positive values better. */
export function spansDecades(values: readonly number[]): boolean {
  const [low, high] = extremesOf(values.filter(Number.isFinite))
  return low > 0 && high / low > 20
}

function extremesOf(values: readonly number[]): Domain {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  )
}
