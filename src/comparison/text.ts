/** The numbers and notes of a comparison as text, for terminals and the report. */
import { significant } from '../text/format.js'
import { type Line, plainLines } from '../text/styled.js'
import { wrap } from '../text/table.js'
import type { Result } from './comparison.js'
import { testNames } from './main-table.js'
import { power, type Summary } from './statistics.js'

/** The symbols of the tables. */
export const marks = { best: '*', better: '✓', worse: '✗', baseline: '†' } as const

// Intervals over fewer seeds are wide: with 5 values, Student's t is 2.8; with 3 it is 4.3, and with 2 it is 12.7.
const fewSeeds = 5

/** Returns notes on how many seeds each mean has. @param intervals whether intervals are printed */
export function sampleNotes(summaries: readonly Summary[], intervals: boolean): readonly string[] {
  const counts = summaries.map(({ n }) => n)
  const hasIntervals = intervals && summaries.some(({ interval }) => interval !== null)
  return [
    ...(hasIntervals ? ["± 95 % interval of the mean over the seeds (Student's t)."] : []),
    ...(counts.some((n) => n > 1 && n < fewSeeds)
      ? [`n < ${fewSeeds}: intervals over so few seeds are wide.`]
      : []),
    ...(counts.includes(1) ? ['n = 1: one seed, so no interval and no test.'] : []),
  ]
}

// The width of the smallest common terminal.
const noteColumns = 80

/** Returns notes, wrapped at 80 columns or at the terminal's width if that is less. */
export function noteLines(notes: readonly string[], columns: number): readonly Line[] {
  const width = Math.min(columns, noteColumns)
  return notes.flatMap((note) => plainLines(wrap(note.split(/(?<!<) /), width).join('\n')))
}

/** "0.02661 ± 0.00021", both numbers with the decimals that suit the half-width of the interval. */
export function meanText({ mean, interval }: Summary): string {
  if (interval === null) return significant(mean)
  const half = (interval.high - interval.low) / 2
  const decimals = decimalsFor(half, mean)
  return `${mean.toFixed(decimals)} ± ${half.toFixed(decimals)}`
}

/** Two significant digits of the half-width, and at least three of the mean. */
function decimalsFor(half: number, mean: number): number {
  const decimals = (value: number, digits: number) =>
    value === 0 ? 0 : digits - 1 - Math.floor(Math.log10(Math.abs(value)))
  return Math.min(8, Math.max(0, half === 0 ? decimals(mean, 3) : decimals(half, 2), decimals(mean, 3)))
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

export function detectableText({ versus }: Result): string {
  const detectable = versus?.detectable ?? null
  return detectable === null ? '–' : significant(detectable, 2)
}

/** Names the tests of the columns p and g; "" if nothing was tested. */
export function testsText(results: readonly Result[], baseline: string): string {
  const tests = testNames(results)
  if (tests === '') return ''
  return `p: ${tests}, against ${baseline}, corrected by Holm over the arms; g: Hedges' g; detectable: a true difference of this size gives an uncorrected p < 0.05 with a probability of ${100 * power} %.`
}
