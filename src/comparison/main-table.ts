/** The main table of a comparison, arms × main metrics. text.ts prints it, formats.ts writes it for papers. */
import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { unbroken } from '../text/block-table.js'
import { percent } from '../text/format.js'
import { widestOf } from '../text/table.js'
import type { Comparison, Result } from './comparison.js'
import { originDifferences } from './differences.js'
import type { Summary } from './statistics.js'

export interface MainTable {
  readonly columns: readonly MetricColumn[]
  readonly rows: readonly MainRow[]
  /** Whether the settings that distinguish the arms are not in their names already. */
  readonly hasDifferences: boolean
}

export interface MetricColumn {
  readonly metric: Metric
  readonly header: string
  /** The factor of the printed values: 100 for percentages. */
  readonly scale: number
  /** The decimals of all values of the column. */
  readonly decimals: number
}

export interface MainRow {
  readonly label: string
  readonly baseline: boolean
  /** Completed runs. */
  readonly complete: number
  readonly runs: number
  /** The states of the runs that are not complete: "1 failed, 2 running". */
  readonly incomplete: string
  /** By column; null if no run of the arm has the metric. */
  readonly results: readonly (Result | null)[]
  /** The settings that distinguish the arm. */
  readonly difference: string
}

export function mainTable(comparison: Comparison): MainTable {
  const { arms, results, dropped } = comparison
  const byMetric = new Map(
    metrics.map((metric) => [metric, results.filter((each) => each.metric === metric)]),
  )
  const byArm = new Map(
    [...byMetric].map(([metric, each]) => [metric, new Map(each.map((result) => [result.arm, result]))]),
  )
  const shown = metrics.filter((metric) => meaningOf(metric).main && byMetric.get(metric)!.length > 0)
  const differences = differenceTexts(comparison)
  const compared = arms.map((arm, index) => ({
    ...countsOf(arm),
    label: arm.label,
    baseline: arm.baseline,
    results: shown.map((metric) => byArm.get(metric)!.get(arm) ?? null),
    difference: differences[index]!,
  }))
  return {
    columns: shown.map((metric) => metricColumn(metric, byMetric.get(metric)!)),
    rows: [
      ...compared,
      ...dropped.map((arm) => ({
        ...countsOf(arm),
        label: arm.label,
        baseline: false,
        results: shown.map(() => null),
        difference: '',
      })),
    ],
    hasDifferences: arms.length > 1 && arms.some(({ label }, index) => !label.endsWith(differences[index]!)),
  }
}

/** Returns what distinguishes each arm: its settings or, if the configs are the same, its device or program. */
export function differenceTexts({ arms }: Comparison): readonly string[] {
  const [origin] = originDifferences(arms.map(({ runs }) => runs))
  return arms.map(
    ({ difference }, arm) =>
      difference || (origin?.values[arm] ? `${origin.name}=${origin.values[arm]}` : 'same config'),
  )
}

type Counted = Pick<Comparison['dropped'][number], 'runs' | 'leftOut' | 'unusable'>

function countsOf({ runs, leftOut, unusable }: Counted) {
  const statuses = [...leftOut.map(({ status }) => status), ...unusable.map(() => 'damaged')]
  const counts = new Map<string, number>()
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1)
  return {
    complete: runs.length,
    runs: runs.length + statuses.length,
    incomplete: [...counts].map(([status, count]) => `${count} ${status}`).join(', '),
  }
}

/** A mean of a metric over the runs of an arm. */
type MeanOf = Pick<Result, 'summary'>

export function metricColumn(metric: Metric, results: readonly MeanOf[]): MetricColumn {
  const { label, format } = meaningOf(metric)
  const isPercentage = format === percent
  const scale = isPercentage ? 100 : 1
  const header = isPercentage ? label.replace(/\S+$/, (last) => unbroken(`${last} %`)) : label
  return { metric, header, scale, decimals: decimalsOf(metric, results, scale) }
}

const mostDecimals = 8

/**
 * Returns the decimals of a column: two digits of the narrowest interval's half-width, but three to four digits of the best
 * mean. An arm that diverged must not hide the differences between the others.
 */
function decimalsOf(metric: Metric, results: readonly MeanOf[], scale: number): number {
  const { better, format } = meaningOf(metric)
  const means = results.map(({ summary }) => Math.abs(summary.mean * scale)).filter((mean) => mean > 0)
  if (means.length === 0) return 0
  const best = better === 'higher' ? Math.max(...means) : Math.min(...means)
  const halves = results.map(({ summary }) => halfWidth(summary) * scale).filter((half) => half > 0)
  const wanted = halves.length === 0 ? decimalsFor(best, 4) : decimalsFor(Math.min(...halves), 2)
  const decimals = Math.min(Math.max(wanted, decimalsFor(best, 3)), decimalsFor(best, 4))
  // Numbers of dimensions need no decimals, and their means one.
  const isCount = format === String
  if (isCount && halves.length === 0 && means.every(Number.isInteger)) return 0
  return Math.min(isCount ? 1 : mostDecimals, Math.max(0, decimals))
}

/** Returns the decimals with which a value has the given number of significant digits. */
function decimalsFor(value: number, digits: number): number {
  return digits - 1 - Math.floor(Math.log10(value))
}

/** Returns half the width of the mean's interval, NaN without one. */
function halfWidth({ interval }: Summary): number {
  return interval === null ? Number.NaN : (interval.high - interval.low) / 2
}

/** Returns a result's mean and the half-width of its interval, null without one, as texts. */
export function cellTexts(
  { scale, decimals }: MetricColumn,
  { summary }: MeanOf,
): { readonly mean: string; readonly half: string | null } {
  const text = (value: number) => (Math.abs(value) < 1e6 ? value.toFixed(decimals) : value.toExponential(3))
  const half = halfWidth(summary) * scale
  return { mean: text(summary.mean * scale), half: Number.isNaN(half) ? null : text(half) }
}

/** Returns the cells of a column, "0.0268 ± 0.0008", with the points and the signs below each other; "" for null. */
export function meanCells(
  column: MetricColumn,
  results: readonly (MeanOf | null)[],
  intervals: boolean,
): readonly string[] {
  const texts = results.map((result) => (result === null ? null : cellTexts(column, result)))
  const halves = padStarts(texts.map((each) => (intervals ? (each?.half ?? '') : '')))
  return padStarts(texts.map((each) => each?.mean ?? '')).map((mean, row) => {
    const half = halves[row]!
    if (half === '') return mean
    return `${mean}${half.trim() === '' ? '   ' : ' ± '}${half}`
  })
}

function padStarts(texts: readonly string[]): readonly string[] {
  const width = widestOf(texts)
  return texts.map((text) => text.padStart(width))
}

// A corrected p-value below this counts as significant.
/** Corrected p-values below it are significant. */
export const significanceLevel = 0.05

/** Returns whether an arm is significantly better or worse than the baseline, null if neither is shown. */
export function verdictOf({ metric, versus }: Result): 'better' | 'worse' | null {
  const { better } = meaningOf(metric)
  if (versus === null || better === null) return null
  if (versus.correctedP === null || versus.correctedP >= significanceLevel) return null
  return versus.difference < 0 === (better === 'lower') ? 'better' : 'worse'
}

/** Returns the meaning of the marks "better" and "worse", "" if nothing was tested. */
export function verdictText(results: readonly Result[], baseline: string): string {
  const tests = testNames(results)
  if (tests === '') return ''
  return `significantly better or worse than ${baseline} (p < ${significanceLevel}: ${tests}, corrected by Holm over the arms).`
}

const names = { paired: 'paired t-test over the same seeds', welch: "Welch's t-test" } as const

/** Returns the names of the tests that were made; "" if nothing was tested. */
export function testNames(results: readonly Result[]): string {
  const kinds = new Set(results.flatMap(({ versus }) => versus?.test?.kind ?? []))
  return [...kinds].map((kind) => names[kind]).join(', or ')
}
