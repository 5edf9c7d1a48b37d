import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { type Line, plainLines } from '../text/styled.js'
import { alignedTable, terminalWidth, truncateDistinct, widestOf } from '../text/table.js'
import type { Comparison, Result } from './comparison.js'
import { formulaLines } from './formulas.js'
import { differenceTexts } from './main-table.js'
import { epochMeans, finalSpectrum, sampleEvenly } from './series.js'
import {
  detectableText,
  differenceText,
  effectText,
  marks,
  meanText,
  noteLines,
  pText,
  sampleNotes,
  testsText,
} from './text.js'

const gap = 2

/**
 * Returns the arms, a table per metric with differences and tests, and notes on the symbols.
 * @param metric the only metric; undefined for the main metrics
 * @param columns the terminal's; infinitely many in a file or a pipe, where nothing is cut
 */
export function detailLines(
  comparison: Comparison,
  metric: Metric | undefined,
  columns: number,
): readonly Line[] {
  const shown = metrics.filter((each) => (metric === undefined ? meaningOf(each).main : each === metric))
  const { arms, results, baseline } = comparison
  const tables = shown
    .map((each) => results.filter((result) => result.metric === each))
    .filter((rows) => rows.length > 0)
    .map((rows) => metricTable(rows, columns))
  const formulas = formulaLines(comparison)
  const text = [
    armsTable(comparison, columns),
    ...(formulas.length === 0 ? [] : [['eigen losses', ...formulas].join('\n')]),
    ...(tables.length === 0 ? [`none of these runs has ${shown.join(', ')}`] : tables),
  ].join('\n\n')
  const tests = testsText(results, baseline.label)
  const notes = noteLines(
    [
      ...(arms.length > 1 ? [`${marks.best} the best mean.`] : []),
      ...sampleNotes(
        results.map(({ summary }) => summary),
        true,
      ),
      ...(tests === '' ? [] : [tests]),
      'test MSE: by epoch; σ/Σσ: by rank after the last epoch.',
    ],
    columns,
  )
  return [...plainLines(text), [], ...notes]
}

function armsTable(comparison: Comparison, columns: number): string {
  const { arms } = comparison
  const losses = arms.map((arm) => epochMeans(arm, 'test_mse'))
  const shares = arms.map((arm) => finalSpectrum(arm).map(({ summary }) => summary.mean))
  const lossRange = rangeOf(losses.flat())
  const shareRange = [0, rangeOf(shares.flat())[1]] as const
  const figures = arms.map(({ runs }, arm) => [
    String(runs.length),
    sparkline(losses[arm]!, lossRange),
    sparkline(shares[arm]!, shareRange),
  ])
  const header = ['n', 'test MSE', 'σ/Σσ']
  const alignments = ['right', 'left', 'left'] as const
  const space = columns - terminalWidth(firstLine(alignedTable(figures, alignments, header))) - 2 * gap
  const names = arms.map(({ label }) => label)
  const nameWidth = Math.min(widestOf(names), Math.max(shortest, Math.ceil(space / 2)))
  const labels = truncateDistinct(names, nameWidth)
  const differences = truncateDistinct(differenceTexts(comparison), Math.max(shortest, space - nameWidth))
  const rows = figures.map((row, arm) => [labels[arm]!, differences[arm]!, ...row])
  return alignedTable(rows, ['left', 'left', ...alignments], ['arm', 'what differs', ...header])
}

// The width below which names are not cut.
const shortest = 12

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

function metricTable(results: readonly Result[], columns: number): string {
  const { title, better } = meaningOf(results[0]!.metric)
  const cells = results.map((result) => [
    String(result.summary.n),
    meanText(result.summary),
    differenceText(result),
    pText(result),
    effectText(result),
    detectableText(result),
  ])
  const header = ['n', 'mean', 'difference', 'p', 'g', 'detectable']
  const right = header.map(() => 'right' as const)
  const space = columns - terminalWidth(firstLine(alignedTable(cells, right, header))) - gap
  const labels = truncateDistinct(
    results.map(({ arm }) => arm.label),
    Math.max(shortest, space - 2),
  )
  const rows = cells.map((row, index) => [
    `${results[index]!.best ? marks.best : ' '} ${labels[index]}`,
    ...row,
  ])
  const heading = better === null ? title : `${title}, ${better} is better`
  return `${heading} (${results[0]!.metric})\n${alignedTable(rows, ['left', ...right], ['', ...header])}`
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
