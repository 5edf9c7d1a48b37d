import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { alignedTable, terminalWidth, truncateDistinct } from '../text/table.js'
import type { Comparison, Result } from './compare.js'
import { differingMakers } from './makers.js'
import { differenceText, effectText, meanText, pText, testsText } from './numbers.js'
import { epochMeans, finalSpectrum } from './series.js'
import { sparkline } from './sparkline.js'

// Of the smallest terminals.
const columns = 80
const gap = 2
const widths = { name: 18, difference: 30 }

/** The comparison for a terminal of 80 columns: who the arms are, then a table a metric, and what the signs mean. */
export function comparisonText(comparison: Comparison, metric: Metric | undefined): string {
  const { arms, results } = comparison
  const shown = metrics.filter((each) => (metric === undefined ? meaningOf(each).main : each === metric))
  const tables = shown
    .map((each) => results.filter((result) => result.metric === each))
    .filter((of) => of.length > 0)
    .map(metricTable)
  return [
    armsTable(comparison),
    ...(tables.length === 0 ? [`none of these runs has ${shown.join(', ')}`] : tables),
    notes(results, arms[0]!.label, arms.length, metric === undefined),
  ].join('\n\n')
}

function armsTable({ arms }: Comparison): string {
  const losses = arms.map((arm) => epochMeans(arm, 'test_mse'))
  const shares = arms.map((arm) => finalSpectrum(arm).map(({ summary }) => summary.mean))
  const lossRange = rangeOf(losses.flat())
  const shareRange = [0, rangeOf(shares.flat())[1]] as const
  const names = truncateDistinct(
    arms.map(({ shortName }) => shortName),
    widths.name,
  )
  const maker = differingMakers(arms.map(({ runs }) => runs))[0]
  const otherwise = (place: number) =>
    maker === undefined ? 'same config' : `${maker.what}=${maker.values[place]!}`
  const differences = truncateDistinct(
    arms.map(({ difference }, place) => difference || otherwise(place)),
    widths.difference,
  )
  const rows = arms.map(({ runs }, index) => [
    names[index]!,
    differences[index]!,
    String(runs.length),
    sparkline(losses[index]!, lossRange),
    sparkline(shares[index]!, shareRange),
  ])
  const header = ['arm', 'what differs', 'n', 'test MSE', 'σ/Σσ']
  return alignedTable(rows, ['left', 'left', 'right', 'left', 'left'], header)
}

function rangeOf(values: readonly number[]): readonly [number, number] {
  return [
    values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
  ]
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
  const head = better === null ? title : `${title}, ${better} is better`
  return `${head} (${results[0]!.metric})\n${alignedTable(rows, ['left', ...right], ['', ...header])}`
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
    .flatMap((line) => wrapped(line, columns))
    .join('\n')
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && terminalWidth(longer) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}
