import { significant } from '../text/format.js'
import type { Result } from './compare.js'
import type { Summary } from './statistics.js'

/** "0.02661 ± 0.00021": with as many decimals in both as the half-width of the interval makes sensible. */
export function meanText({ mean, interval }: Summary): string {
  if (interval === null) return significant(mean)
  const half = (interval.high - interval.low) / 2
  const decimals = decimalsFor(half, mean)
  return `${mean.toFixed(decimals)} ± ${half.toFixed(decimals)}`
}

/** Two significant digits of the half-width, and at least three of the mean. */
function decimalsFor(half: number, mean: number): number {
  const of = (value: number, digits: number) =>
    value === 0 ? 0 : digits - 1 - Math.floor(Math.log10(Math.abs(value)))
  return Math.min(8, Math.max(0, half === 0 ? of(mean, 3) : of(half, 2), of(mean, 3)))
}

/** "+0.00123"; an en dash for the baseline. */
export function differenceText({ versus }: Result): string {
  if (versus === null) return '–'
  const { difference } = versus
  return `${difference > 0 ? '+' : ''}${significant(difference, 3)}`.replace('-', '−')
}

export function pText({ versus }: Result): string {
  const p = versus?.correctedP ?? null
  if (p === null) return '–'
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

export function effectText({ versus }: Result): string {
  const g = versus?.hedgesG ?? null
  return g === null ? '–' : `${g > 0 ? '+' : ''}${g.toFixed(Math.abs(g) < 10 ? 1 : 0)}`.replace('-', '−')
}

/** What the tests were, in one line. */
export function testsText(results: readonly Result[], baseline: string): string {
  const kinds = new Set(results.flatMap(({ versus }) => versus?.test?.kind ?? []))
  if (kinds.size === 0) return ''
  const names = { paired: 'paired t-test over the same seeds', welch: "Welch's t-test" } as const
  const tests = [...kinds].map((kind) => names[kind]).join(', or ')
  return `p: ${tests}, against ${baseline}, corrected by Holm over the arms; g: Hedges' g.`
}
