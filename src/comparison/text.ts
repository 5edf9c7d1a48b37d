import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { significant } from '../text/format.js'
import { alignedTable, terminalWidth, truncateDistinct } from '../text/table.js'
import type { Comparison, Result } from './compare.js'
import { originDifferences } from './differences.js'
import { epochMeans, finalSpectrum, sampleEvenly } from './series.js'
import type { Summary } from './statistics.js'

// The width of the smallest common terminal.
const columns = 80
const gap = 2
const widths = { name: 18, difference: 30 }

/** Returns the comparison for a terminal of 80 columns: the arms, a table per metric, and notes on the symbols. */
export function comparisonText(comparison: Comparison, metric: Metric | undefined): string {
  const { arms, results } = comparison
  const shown = metrics.filter((each) => (metric === undefined ? meaningOf(each).main : each === metric))
  const tables = shown
    .map((each) => results.filter((result) => result.metric === each))
    .filter((rows) => rows.length > 0)
    .map(metricTable)
  return [
    armsTable(comparison),
    ...(tables.length === 0 ? [`none of these runs has ${shown.join(', ')}`] : tables),
    notes(results, comparison.baseline.label, arms.length, metric === undefined),
  ].join('\n\n')
}

function armsTable({ arms }: Comparison): string {
  const losses = arms.map((arm) => epochMeans(arm, 'test_mse'))
  const shares = arms.map((arm) => finalSpectrum(arm).map(({ summary }) => summary.mean))
  const lossRange = rangeOf(losses.flat())
  const shareRange = [0, rangeOf(shares.flat())[1]] as const
  const names = truncateDistinct(
    arms.map(({ label }) => label),
    widths.name,
  )
  const [origin] = originDifferences(arms.map(({ runs }) => runs))
  const otherDifference = (arm: number) =>
    origin === undefined ? 'same config' : `${origin.name}=${origin.values[arm]!}`
  const differences = truncateDistinct(
    arms.map(({ difference }, arm) => difference || otherDifference(arm)),
    widths.difference,
  )
  const rows = arms.map(({ runs }, arm) => [
    names[arm]!,
    differences[arm]!,
    String(runs.length),
    sparkline(losses[arm]!, lossRange),
    sparkline(shares[arm]!, shareRange),
  ])
  const header = ['arm', 'what differs', 'n', 'test MSE', 'σ/Σσ']
  return alignedTable(rows, ['left', 'left', 'right', 'left', 'left'], header)
}

function rangeOf(values: readonly number[]): readonly [lowest: number, highest: number] {
  return [
    values.reduce((lowest, value) => Math.min(lowest, value), Number.POSITIVE_INFINITY),
    values.reduce((highest, value) => Math.max(highest, value), Number.NEGATIVE_INFINITY),
  ]
}

const blocks = '▁▂▃▄▅▆▇█'

/** Returns one block per value, as high as the value lies in the range; at most `width` evenly spaced values. */
export function sparkline(
  values: readonly number[],
  [lowest, highest]: readonly [number, number],
  width = 10,
): string {
  return sampleEvenly(values, width)
    .map((value) => {
      if (!Number.isFinite(value)) return ' '
      const height = highest > lowest ? (value - lowest) / (highest - lowest) : 0
      return blocks[Math.max(0, Math.min(blocks.length - 1, Math.round(height * (blocks.length - 1))))]!
    })
    .join('')
}

function metricTable(results: readonly Result[]): string {
  const { title, better } = meaningOf(results[0]!.metric)
  const cells = results.map((result) => [
    String(result.summary.n),
    meanText(result.summary),
    differenceText(result),
    pText(result),
    effectText(result),
  ])
  const header = ['n', 'mean', 'difference', 'p', 'g']
  const right = header.map(() => 'right' as const)
  const width = columns - terminalWidth(alignedTable(cells, right, header).split('\n')[0]!) - gap
  const labels = truncateDistinct(
    results.map(({ arm }) => arm.label),
    width - 2,
  )
  const rows = cells.map((row, index) => [`${results[index]!.best ? '*' : ' '} ${labels[index]}`, ...row])
  const heading = better === null ? title : `${title}, ${better} is better`
  return `${heading} (${results[0]!.metric})\n${alignedTable(rows, ['left', ...right], ['', ...header])}`
}

function notes(results: readonly Result[], baseline: string, arms: number, everyMetric: boolean): string {
  const intervals = results.some(({ summary }) => summary.interval !== null)
  const single = results.some(({ summary }) => summary.n === 1)
  const tests = testsText(results, baseline)
  return [
    ...(arms > 1 ? ['* the best mean.'] : []),
    ...(intervals ? ["± 95 % interval of the mean over the seeds (Student's t)."] : []),
    ...(single ? ['n = 1: one seed, so no interval and no test.'] : []),
    ...(tests === '' ? [] : [tests]),
    ...(everyMetric ? ['test MSE: by epoch; σ/Σσ: by rank after the last epoch.'] : []),
  ]
    .flatMap((line) => wrap(line, columns))
    .join('\n')
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && terminalWidth(longer) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
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

/** Names the tests behind the columns p and g; "" if nothing was tested. */
export function testsText(results: readonly Result[], baseline: string): string {
  const kinds = new Set(results.flatMap(({ versus }) => versus?.test?.kind ?? []))
  if (kinds.size === 0) return ''
  const names = { paired: 'paired t-test over the same seeds', welch: "Welch's t-test" } as const
  const tests = [...kinds].map((kind) => names[kind]).join(', or ')
  return `p: ${tests}, against ${baseline}, corrected by Holm over the arms; g: Hedges' g.`
}
