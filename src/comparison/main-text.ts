import { blockCount, blockTable, type Column } from '../text/block-table.js'
import type { Space } from '../text/output.js'
import { type Line, type Span, type Style, span } from '../text/styled.js'
import { truncateDistinct, widestOf } from '../text/table.js'
import type { Comparison, Result } from './comparison.js'
import {
  type MainRow,
  type MainTable,
  type MetricColumn,
  mainTable,
  meanCells,
  verdictOf,
  verdictText,
} from './main-table.js'
import { marks, noteLines, sampleNotes } from './text.js'

const verdictStyles = { better: 'green', worse: 'red' } as const

/**
 * Returns the main table for a terminal, a file or a pipe, with notes on its symbols.
 * @param space the terminal's columns and rows; infinitely many in a file or a pipe, where nothing is cut
 */
export function mainLines(comparison: Comparison, space: Space): readonly Line[] {
  const table = mainTable(comparison)
  const build = (intervals: boolean) => {
    const keys = keyColumns(table, space.columns)
    const columns = [
      ...table.columns.map((column, index) => metricCells(table, column, index, intervals)),
      ...(table.hasDifferences ? [differenceColumn(table)] : []),
    ]
    const blocks = blockCount(keys, columns, space.columns)
    return { intervals, blocks, lines: blockTable(keys, columns, space.columns) }
  }
  const [whole, short] = [build(true), build(false)]
  // On a small terminal, an overview is worth more than the intervals, which --details prints.
  const fits = whole.blocks === short.blocks || whole.lines.length + mostNotes <= space.rows
  const { lines, intervals } = fits ? whole : short
  const notes = [
    ...mainNotes(comparison, table, intervals),
    'Differences, p-values and effect sizes: --details.',
  ]
  return [...lines, [], ...noteLines(notes, space.columns)]
}

// Lines of notes below the table, and the prompt.
const mostNotes = 10

function keyColumns({ rows }: MainTable, columns: number): readonly Column[] {
  const labels = truncateDistinct(rowNames(rows), Math.max(20, Math.floor(columns / 2)))
  return [
    { header: 'arm', alignment: 'left', cells: labels.map((label) => span(label)) },
    { header: 'n', alignment: 'right', cells: rows.map(countCell) },
  ]
}

/** Returns the labels of the arms, the baseline's with its mark. */
export function rowNames(rows: readonly MainRow[]): readonly string[] {
  return rows.map(({ label, baseline }) =>
    baseline && rows.length > 1 ? `${label} ${marks.baseline}` : label,
  )
}

function countCell(row: MainRow): Span {
  if (row.incomplete === '') return span(countText(row))
  const style: Style = /failed|damaged/.test(row.incomplete) ? 'red' : 'yellow'
  return span(countText(row), style)
}

/** Returns "3", or "2 of 3" if not all runs are complete. */
export function countText({ complete, runs, incomplete }: MainRow): string {
  return incomplete === '' ? String(complete) : `${complete} of ${runs}`
}

/** Returns a metric's column, whose cells end with the marks of the best mean and of significance. */
function metricCells(table: MainTable, column: MetricColumn, index: number, intervals: boolean): Column {
  const results = table.rows.map((row) => row.results[index]!)
  const texts = meanCells(column, results, intervals)
  const marked = padEnds(results.map((result) => (result === null ? '' : marksOf(result))))
  return {
    header: column.header,
    alignment: 'right',
    cells: results.map((result, row) => {
      const mark = marked[row] === '' ? '' : ` ${marked[row]}`
      return span(`${texts[row]}${mark}`, ...stylesOf(result))
    }),
  }
}

function padEnds(texts: readonly string[]): readonly string[] {
  const width = widestOf(texts)
  return texts.map((text) => text.padEnd(width))
}

/** Returns the marks of the best mean and of significance: "*✓". */
export function marksOf(result: Result): string {
  const verdict = verdictOf(result)
  return `${result.best ? marks.best : ''}${verdict === null ? '' : marks[verdict]}`
}

function stylesOf(result: Result | null): readonly Style[] {
  if (result === null) return []
  const verdict = verdictOf(result)
  return [...(result.best ? (['bold'] as const) : []), ...(verdict === null ? [] : [verdictStyles[verdict]])]
}

function differenceColumn({ rows }: MainTable): Column {
  const cells = rows.map(({ difference }) => span(difference))
  return { header: 'what differs', alignment: 'left', cells }
}

/** Returns notes on the symbols and the runs of the main table. @param intervals whether intervals are shown */
export function mainNotes(
  { results, arms, baseline }: Comparison,
  { rows, columns }: MainTable,
  intervals: boolean,
): readonly string[] {
  const shown = results.filter(({ metric }) => columns.some((column) => column.metric === metric))
  const verdicts = verdictText(shown, baseline.label)
  const incomplete = rows.filter((row) => row.incomplete !== '')
  return [
    ...(arms.length > 1 ? [`${marks.baseline} the baseline. ${marks.best} the best mean.`] : []),
    ...(verdicts === '' ? [] : [`${marks.better} ${marks.worse} ${verdicts}`]),
    ...sampleNotes(
      shown.map(({ summary }) => summary),
      intervals,
    ),
    ...incomplete.map((row) => `${row.label}: ${row.incomplete}.`).slice(0, mostIncomplete),
    ...(incomplete.length > mostIncomplete ? [`… and ${incomplete.length - mostIncomplete} more arms.`] : []),
  ]
}

// More lines would push the table off the screen.
const mostIncomplete = 10
