/** The tables of a comparison as data. terminal.ts prints them, formats.ts and src/pages/report write them. */
import { eigenLossesOf, formulaOf } from '../config/eigen-losses.js'
import { groupBy } from '../group-by.js'
import { isTestMetric, type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { percent, shortened, significant } from '../text/format.js'
import { widestOf } from '../text/shorten.js'
import { type Alignment, unbroken } from '../text/table.js'
import { areComparable } from './compare.js'
import type { Arm, ArmNames, Comparison, LabelledArm, Result } from './comparison.js'
import { choosingMetric } from './selection.js'
import { enoughSeeds, power, type Summary, testNames } from './statistics.js'
import { originDifferences } from './warnings.js'

/** The symbols of the tables. */
export const marks = { best: '*', better: '✓', worse: '✗', baseline: '†' } as const

/** The main table: arms × main metrics. */
export interface MainTable {
  readonly columns: readonly MetricColumn[]
  readonly rows: readonly MainRow[]
  /** Whether the settings that distinguish the arms are not in their names already. */
  readonly hasDifferences: boolean
}

/** A mean of a metric over the runs of an arm. */
type MeanOf = Pick<Result, 'summary'>

export interface MetricColumn<Mean extends MeanOf = Result> {
  readonly metric: Metric
  readonly header: string
  /** The factor of the printed values: 100 for percentages. */
  readonly scale: number
  /** The decimals of all values of the column. */
  readonly decimals: number
  /** By row; null if no run of the arm has the metric. */
  readonly results: readonly (Mean | null)[]
}

export interface MainRow extends ArmNames {
  readonly baseline: boolean
  /** Completed runs. */
  readonly complete: number
  readonly runs: number
  /** The states of the runs that are not complete: "1 failed, 2 running". */
  readonly incomplete: string
  /** The settings that distinguish the arm. */
  readonly difference: string
}

/** Returns the main table. The arms without a completed run come last. */
export function mainTable(comparison: Comparison): MainTable {
  const { arms, baseline, tested, results, dropped } = comparison
  const rows = [...arms, ...dropped]
  const differences = differenceTexts(comparison)
  const columnOf = (metric: Metric) => {
    const byArm = new Map<LabelledArm, Result>(
      results.filter((each) => each.metric === metric).map((result) => [result.arm, result]),
    )
    return metricColumn(
      metric,
      rows.map((arm) => byArm.get(arm) ?? null),
    )
  }
  return {
    columns: detailedMetrics(comparison)
      .map(columnOf)
      .filter((column) => column.results.some((result) => result !== null)),
    rows: rows.map((arm, index) => ({
      label: arm.label,
      shown: arm.shown,
      baseline: tested && arm === baseline,
      complete: arm.runs.length,
      runs: arm.runs.length + arm.leftOut.length + arm.unusable.length,
      incomplete: statesText(arm),
      difference: differences[index] ?? '',
    })),
    hasDifferences: arms.length > 1 && arms.some(({ shown }, index) => !shown.endsWith(differences[index]!)),
  }
}

/** Returns whether a metric is a main one. The rank's share of d adds nothing to the rank in arms of the same d. */
function isMain(metric: Metric, { arms }: Pick<Comparison, 'arms'>): boolean {
  return (
    meaningOf(metric).main === true || (metric === 'rank_share' && !areComparable(arms, 'effective_rank'))
  )
}

/** Returns what distinguishes each arm: its settings or, if the configs are the same, its device or program. */
export function differenceTexts({ arms }: Comparison): readonly string[] {
  const [origin] = originDifferences(arms.map(({ runs }) => runs))
  return arms.map(
    ({ difference }, arm) =>
      difference || (origin?.values[arm] ? `${origin.name}=${origin.values[arm]}` : 'same config'),
  )
}

/** Returns the states of the runs that are not complete: "1 failed, 2 damaged". */
export function statesText({ leftOut, unusable }: Pick<LabelledArm, 'leftOut' | 'unusable'>): string {
  const states = [...leftOut.map((run) => run.status), ...unusable.map(() => 'damaged')]
  return [...groupBy(states, (state) => state)].map(([state, { length }]) => `${length} ${state}`).join(', ')
}

/** Returns the names of the rows, the baseline's with its mark. */
export function rowNames(rows: readonly MainRow[]): readonly string[] {
  return rows.map(({ shown, baseline }) =>
    baseline && rows.length > 1 ? `${shown} ${marks.baseline}` : shown,
  )
}

/** Returns the title of tables and pictures that names what all arms share; "" if they share nothing. */
export function sharedText({ shared }: Pick<Comparison, 'shared'>): string {
  return shared === '' ? '' : `All arms: ${shared}`
}

/** Returns "3", or "2 of 3" if not all runs are complete. */
export function countText({ complete, runs, incomplete }: MainRow): string {
  return incomplete === '' ? String(complete) : `${complete} of ${runs}`
}

export function metricColumn<Mean extends MeanOf>(
  metric: Metric,
  results: readonly (Mean | null)[],
): MetricColumn<Mean> {
  const { label, format } = meaningOf(metric)
  const isPercentage = format === percent
  const scale = isPercentage ? 100 : 1
  // Headers of two lines.
  const header = isPercentage
    ? label.replace(/\S+$/, (last) => unbroken(`${last} %`))
    : label.replace(/over \S+$/, unbroken)
  const summaries = results.flatMap((result) => result?.summary ?? [])
  return { metric, header, scale, decimals: decimalsOf(metric, summaries, scale), results }
}

const mostDecimals = 8

/**
 * Returns the decimals of a column: two digits of the narrowest interval's half-width, but three to four digits of the best
 * mean. An arm that diverged must not hide the differences between the others.
 */
function decimalsOf(metric: Metric, summaries: readonly Summary[], scale: number): number {
  const { better, format } = meaningOf(metric)
  const means = summaries.map(({ mean }) => Math.abs(mean * scale)).filter((mean) => mean > 0)
  if (means.length === 0) return 0
  const best = better === 'higher' ? Math.max(...means) : Math.min(...means)
  const halves = summaries.map((summary) => halfWidth(summary) * scale).filter((half) => half > 0)
  const wanted = halves.length === 0 ? decimalsFor(best, 4) : decimalsFor(Math.min(...halves), 2)
  const decimals = Math.min(Math.max(wanted, decimalsFor(best, 3)), decimalsFor(best, 4))
  // Numbers of dimensions need no decimals, and their means one.
  const isCount = format === String
  if (isCount && halves.length === 0 && means.every(Number.isInteger)) return 0
  return Math.min(isCount ? 1 : mostDecimals, Math.max(0, decimals))
}

/** Returns the decimals with which a value has the given number of significant digits. */
function decimalsFor(value: number, digits: number): number {
  return value === 0 ? 0 : digits - 1 - Math.floor(Math.log10(Math.abs(value)))
}

/** Returns half the width of the mean's interval, NaN without one. */
function halfWidth({ interval }: Pick<Summary, 'interval'>): number {
  return interval === null ? Number.NaN : (interval.high - interval.low) / 2
}

/** Returns a result's mean and the half-width of its interval, null without one, as texts. */
export function cellTexts({ scale, decimals }: MetricColumn<MeanOf>, { summary }: MeanOf) {
  const text = (value: number) => (Math.abs(value) < 1e6 ? value.toFixed(decimals) : value.toExponential(3))
  const half = halfWidth(summary) * scale
  return { mean: text(summary.mean * scale), half: Number.isNaN(half) ? null : text(half) }
}

/** Returns the cells of a column, "0.0268 ± 0.0008", with the points and the signs below each other; "" for null. */
export function meanCells(column: MetricColumn<MeanOf>, intervals: boolean): readonly string[] {
  const texts = column.results.map((result) => (result === null ? null : cellTexts(column, result)))
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

/** Corrected p-values below it are significant. */
export const significanceLevel = 0.05

type Verdict = 'better' | 'worse' | null

/** Returns whether an arm is significantly better or worse than the baseline, null if neither is shown. */
export function verdictOf({ metric, versus }: Result): Verdict {
  const { better } = meaningOf(metric)
  if (versus === null || better === null) return null
  if (versus.correctedP === null || versus.correctedP >= significanceLevel) return null
  return versus.difference < 0 === (better === 'lower') ? 'better' : 'worse'
}

/** Returns the marks of the best mean and of significance: "*✓". */
export function marksOf(result: Result): string {
  const verdict = verdictOf(result)
  return `${result.best ? marks.best : ''}${verdict === null ? '' : marks[verdict]}`
}

/** A table before it is printed or written. */
export interface Table {
  /** Null for a table that stands alone. */
  readonly heading: string | null
  /** The columns of names are on the left, those of numbers on the right. */
  readonly columns: readonly TitledColumn[]
  readonly rows: readonly (readonly Cell[])[]
}

interface TitledColumn {
  readonly title: string
  readonly alignment: Alignment
  /** For pages, which show it if the pointer rests on the title. */
  readonly hint?: string
}

export interface Cell {
  readonly text: string
  /** The number to sort by on pages, null if it is missing; undefined if that is the text. */
  readonly value?: number | null
  readonly best?: boolean
  readonly verdict?: Verdict
}

/**
 * Returns the metrics whose differences and tests are shown: the given one, or the main ones. The error on validation
 * images, if the arms have some, is the first.
 */
export function detailedMetrics(comparison: Comparison, metric?: Metric): readonly Metric[] {
  if (metric !== undefined) return [metric]
  const choosing = choosingMetric(comparison.arms)
  const main = metrics.filter((each) => isMain(each, comparison))
  return isTestMetric(choosing) ? main : [choosing, ...main]
}

/** The warning of a choice without validation images. */
export const testChoiceNote =
  'A choice on test images is biased: data.validation holds out other images to choose by.'

/** Returns notes if ranked arms, or those of a grid or a search, are compared: one of them is chosen by its results. */
export function choiceNotes({ arms, chosenAmong, rankedBy }: Comparison): readonly string[] {
  if (chosenAmong === null) return []
  const isBiased = isTestMetric(rankedBy) && isTestMetric(choosingMetric(arms))
  return [bestOfNote(chosenAmong), ...(isBiased ? [testChoiceNote] : [])]
}

export function bestOfNote(arms: number): string {
  return `The best of ${arms} arms looks better than it is: train it again with other seeds.`
}

/**
 * Returns the table of each metric that the runs have, with its differences and tests.
 * @param intervals whether the differences have their intervals
 */
export function detailTables({ results }: Comparison, shown: readonly Metric[], intervals = false) {
  const byMetric = shown.map((metric) => results.filter((result) => result.metric === metric))
  return byMetric.filter((rows) => rows.length > 0).map((rows) => detailTable(rows, intervals))
}

const detectableHint = `a true difference of this size gives an uncorrected p < 0.05 with a probability of ${100 * power} %`

function detailTable(results: readonly Result[], intervals: boolean) {
  const { metric } = results[0]!
  const { title, better } = meaningOf(metric)
  const width = intervals ? ' ± 95 %' : ''
  const figure = (title: string, hint: string): TitledColumn => ({ title, alignment: 'right', hint })
  const differenceOf = intervals ? differenceWithInterval : differenceText
  return {
    metric,
    results,
    heading: better === null ? title : `${title}, ${better} is better`,
    columns: [
      { title: 'arm', alignment: 'left' } as const,
      figure('n', countHint),
      figure(`mean${width}`, 'mean and half-width of its 95 % interval'),
      figure(`difference${width}`, 'difference from the baseline and half-width of its 95 % interval'),
      figure('p', "p-value, corrected by Holm's method"),
      figure('g', "Hedges' g"),
      figure('detectable', detectableHint),
    ],
    rows: results.map((result): readonly Cell[] => {
      const { arm, summary, best, versus } = result
      return [
        { text: arm.shown },
        { text: String(summary.n), value: summary.n },
        { text: meanText(summary), value: summary.mean, best },
        { text: differenceOf(result), value: versus?.difference ?? null },
        { text: pText(result), value: versus?.correctedP ?? null },
        { text: effectText(result), value: versus?.hedgesG ?? null },
        { text: detectableText(result), value: versus?.detectable ?? null },
      ]
    }),
  }
}

/** The hint of the columns "n". */
export const countHint = 'number of runs'

/** "0.02661 ± 0.00021": two significant digits of the half-width of the interval, and at least three of the mean. */
export function meanText({ mean, interval }: Pick<Summary, 'mean' | 'interval'>): string {
  if (interval === null) return significant(mean)
  const half = halfWidth({ interval })
  const decimals = Math.min(mostDecimals, Math.max(0, decimalsFor(half, 2), decimalsFor(mean, 3)))
  return `${mean.toFixed(decimals)} ± ${half.toFixed(decimals)}`
}

/** Returns a difference's text with its sign: "+0.00123". */
export function signed(value: number, text: string): string {
  return `${value > 0 ? '+' : ''}${text}`.replace('-', '−')
}

/** "+0.00123"; an en dash for the baseline. */
function differenceText({ versus }: Result): string {
  return versus === null ? '–' : signed(versus.difference, significant(versus.difference, 3))
}

/** "+0.00123 ± 0.00045". */
export function differenceWithInterval(result: Result): string {
  const { difference = 0, interval } = result.versus ?? {}
  return interval ? signed(difference, meanText({ mean: difference, interval })) : differenceText(result)
}

export function pText({ versus }: Result): string {
  const p = versus?.correctedP ?? null
  return p === null ? '–' : probabilityText(p)
}

export function probabilityText(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

export function effectText({ versus }: Result): string {
  const g = versus?.hedgesG ?? null
  return g === null ? '–' : signed(g, g.toFixed(Math.abs(g) < 10 ? 1 : 0))
}

function detectableText({ versus }: Result): string {
  const detectable = versus?.detectable ?? null
  return detectable === null ? '–' : significant(detectable, 2)
}

// More lines would push the table off the screen.
const mostIncomplete = 10

/** Returns notes on the symbols and the runs of the main table. @param intervals whether intervals are shown */
export function mainNotes(
  comparison: Comparison,
  { rows, columns }: MainTable,
  intervals: boolean,
): readonly string[] {
  const shown = columns.flatMap(({ results }) => results.filter((result) => result !== null))
  const { arms, baseline, tested } = comparison
  const verdicts = verdictText(shown, baseline.label)
  const incomplete = rows.filter((row) => row.incomplete !== '')
  return [
    ...(arms.length > 1
      ? [`${tested ? `${marks.baseline} the baseline. ` : ''}${marks.best} the best mean.`]
      : []),
    ...untestedNotes(comparison),
    ...(verdicts === '' ? [] : [`${marks.better} ${marks.worse} ${verdicts}`]),
    ...sizeNotes(arms, shown),
    ...sampleNotes(
      shown.map(({ summary }) => summary),
      intervals,
    ),
    ...shortened(
      incomplete.map((row) => `${row.label}: ${row.incomplete}.`),
      mostIncomplete,
      'more arms.',
    ),
    ...choiceNotes(comparison),
  ]
}

/** Returns a note on the results of the spectrum that are not tested, because the arms differ in d. */
export function sizeNotes(arms: readonly Arm[], results: readonly Result[]): readonly string[] {
  const untested = metrics.filter(
    (metric) =>
      meaningOf(metric).bySize &&
      !areComparable(arms, metric) &&
      results.some((result) => result.metric === metric),
  )
  if (untested.length === 0) return []
  const names = untested.map((metric) => meaningOf(metric).label).join(' and ')
  const share = meaningOf('rank_share')
  return [`${names}: not tested between arms of different latent size d. ${share.label}: ${share.title}.`]
}

/** Returns how to name a baseline if none is named. */
export function untestedNotes({ arms, baseline, tested }: Comparison): readonly string[] {
  if (tested || arms.length < 2) return []
  return [
    `Nothing is tested, because the sweep names no baseline. Name one with --baseline '${baseline.label}', for example, or as "baseline" in the sweep file.`,
  ]
}

/** Returns notes on how many seeds each mean has. @param intervals whether intervals are printed */
export function sampleNotes(summaries: readonly Summary[], intervals: boolean): readonly string[] {
  const counts = summaries.map(({ n }) => n)
  const hasIntervals = intervals && summaries.some(({ interval }) => interval !== null)
  return [
    ...(hasIntervals ? ["± 95 % interval of the mean over the seeds (Student's t)."] : []),
    ...(counts.some((n) => n > 1 && n < enoughSeeds)
      ? [`n < ${enoughSeeds}: intervals over so few seeds are wide.`]
      : []),
    ...(counts.includes(2) ? ['n = 2: no test, and no interval beyond the possible values.'] : []),
    ...(counts.includes(1) ? ['n = 1: one seed, so no interval and no test.'] : []),
  ]
}

/** Returns the meaning of the marks "better" and "worse", "" if nothing was tested. */
export function verdictText(results: readonly Result[], baseline: string): string {
  const tests = testsOf(results)
  if (tests === '') return ''
  return `significantly better or worse than ${baseline} (p < ${significanceLevel}: ${tests}, corrected by Holm over the arms).`
}

/** Names the tests of the columns p and g; "" if nothing was tested. */
export function testsText(results: readonly Result[], baseline: string): string {
  const tests = testsOf(results)
  if (tests === '') return ''
  return `p: ${tests}, against ${baseline}, corrected by Holm over the arms; g: Hedges' g; detectable: ${detectableHint}.`
}

function testsOf(results: readonly Result[]): string {
  const kinds = new Set(results.flatMap(({ versus }) => versus?.test?.kind ?? []))
  return [...kinds].map((kind) => testNames[kind]).join(', or ')
}

/** Names that a line lists. */
const mostNamed = 4

/** Returns the first names, and how many more there are. */
export function listing(names: readonly string[]): string {
  const named = names.slice(0, mostNamed).join(', ')
  return names.length > mostNamed ? `${named} and ${names.length - mostNamed} more` : named
}

/** Returns a line for each formula of the arms' eigen losses: "eigen: sum(first(sigma, k)) / sum(sigma), k = 2". */
export function formulaLines({ arms }: Pick<Comparison, 'arms'>): readonly string[] {
  const labels = new Map<string, Set<string>>()
  for (const { shown, config } of arms) {
    for (const eigenLoss of eigenLossesOf(config.loss.eigen)) {
      const { text, parameters, center } = formulaOf(eigenLoss)
      const values = Object.entries(parameters).map(([name, value]) => `${name} = ${value}`)
      const line = [text, ...values, ...(center ? ['centred'] : [])].join(', ')
      labels.set(line, (labels.get(line) ?? new Set()).add(shown))
    }
  }
  return [...labels].map(([line, arms]) => `${listing([...arms])}: ${line}`)
}
