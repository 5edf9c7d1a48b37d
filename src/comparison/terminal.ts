/** The tables of a comparison for a terminal, a file or a pipe. */
import { type Metric, meaningOf } from '../runs/metrics.js'
import { count } from '../text/format.js'
import type { Space } from '../text/output.js'
import { truncateDistinct, widestOf } from '../text/shorten.js'
import {
  alignedTable,
  blocksOf,
  blockTable,
  type Column,
  type Line,
  plainLines,
  type Span,
  type Style,
  span,
  textColumn,
  wrap,
} from '../text/table.js'
import type { Comparison, Result } from './comparison.js'
import {
  choiceNotes,
  countText,
  detailedMetrics,
  detailTables,
  differenceTexts,
  formulaLines,
  type MainRow,
  type MetricColumn,
  mainNotes,
  mainTable,
  marks,
  marksOf,
  meanCells,
  meanText,
  rowNames,
  sampleNotes,
  sharedText,
  sizeNotes,
  testsText,
  untestedNotes,
  verdictOf,
} from './comparison-tables.js'
import { type Effects, effectsNotes, effectsTable } from './effects.js'
import { bestFirst } from './selection.js'
import { byEpoch, columnOf, finalSpectrum, sampleEvenly } from './series.js'

/**
 * Returns a line for each of the best arms by the metric that ranks them, with its settings if they are not in its name.
 * @param most the number of arms
 * @param columns the terminal's; infinitely many in a file or a pipe, where nothing is cut
 */
export function bestLines(comparison: Comparison, most: number, columns: number): readonly Line[] {
  const { arms, results, rankedBy: metric } = comparison
  const { label } = meaningOf(metric)
  const ranked = bestFirst(
    results.filter((result) => result.metric === metric),
    metric,
    ({ summary }) => summary.mean,
  )
  const best = ranked.slice(0, most)
  const others = (['effective_rank', 'linear_probe_accuracy'] as const).filter((other) => other !== metric)
  const cells = best.map(({ arm, summary }) => [
    String(arm.runs.length),
    meanText(summary),
    ...others.map((other) => {
      const result = results.find((each) => each.arm === arm && each.metric === other)
      return result === undefined ? '–' : meaningOf(other).format(result.summary.mean)
    }),
  ])
  const header = ['n', label, ...others.map((other) => meaningOf(other).label)]
  const right = header.map(() => 'right' as const)
  const free = columns - widestLine(alignedTable(cells, right, header)) - gap
  const names = best.map(({ arm }) => arm.shown)
  const { hasDifferences } = mainTable(comparison)
  const differences = hasDifferences ? differenceTexts(comparison) : []
  const settings = best.map(({ arm }) => differences[arms.indexOf(arm)] ?? '')
  const half = hasDifferences ? Math.floor((free - gap) / 2) : free
  const labels = truncateDistinct(names, Math.max(shortest, half))
  const texts = truncateDistinct(settings, Math.max(shortest, free - gap - widestOf(labels)))
  const table = alignedTable(
    cells.map((row, index) => [labels[index]!, ...row, ...(hasDifferences ? [texts[index]!] : [])]),
    ['left', ...right, ...(hasDifferences ? (['left'] as const) : [])],
    ['arm', ...header, ...(hasDifferences ? ['what differs'] : [])],
  )
  const heading = `${best.length < ranked.length ? `the best ${best.length} of ` : ''}${count(ranked.length, 'arm')} by ${label}`
  return [[span(heading)], ...sharedLines(comparison, columns), ...plainLines(table)]
}

// Lines of notes below the table, and the prompt.
const mostNotes = 10

/**
 * Returns the main table with notes on its symbols.
 * @param space the terminal's columns and rows; infinitely many in a file or a pipe, where nothing is cut
 */
export function mainLines(comparison: Comparison, space: Space): readonly Line[] {
  const table = mainTable(comparison)
  const { rows } = table
  const names = truncateDistinct(rowNames(rows), Math.max(20, Math.floor(space.columns / 2)))
  const keys: readonly Column[] = [
    textColumn('arm', 'left', names),
    { header: 'n', alignment: 'right', cells: rows.map(countCell) },
  ]
  const differences = textColumn(
    'what differs',
    'left',
    rows.map(({ difference }) => difference),
  )
  const build = (intervals: boolean) => {
    const means = table.columns.map((column) => meanColumn(column, intervals))
    const columns = [...means, ...(table.hasDifferences ? [differences] : [])]
    const blocks = blocksOf(keys, columns, space.columns).length
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
  return [...sharedLines(comparison, space.columns), ...lines, [], ...noteLines(notes, space.columns)]
}

/** Returns the lines above a table that name what all arms share. */
function sharedLines(comparison: Comparison, columns: number): readonly Line[] {
  const text = sharedText(comparison)
  return text === '' ? [] : noteLines([text], columns)
}

function countCell(row: MainRow): Span {
  if (row.incomplete === '') return span(countText(row))
  return span(countText(row), /failed|damaged/.test(row.incomplete) ? 'red' : 'yellow')
}

/** Returns a metric's column, whose cells end with the marks of the best mean and of significance. */
function meanColumn(column: MetricColumn, intervals: boolean): Column {
  const { header, results } = column
  const texts = meanCells(column, intervals)
  const marked = results.map((result) => (result === null ? '' : marksOf(result)))
  const width = widestOf(marked)
  const space = width === 0 ? '' : ' '
  return {
    header,
    alignment: 'right',
    cells: results.map((result, row) =>
      span(`${texts[row]}${space}${marked[row]!.padEnd(width)}`, ...stylesOf(result)),
    ),
  }
}

function stylesOf(result: Result | null): readonly Style[] {
  const verdict = result && verdictOf(result)
  return [
    ...(result?.best ? (['bold'] as const) : []),
    ...(verdict === null ? [] : ([verdict === 'better' ? 'green' : 'red'] as const)),
  ]
}

// The width of the smallest common terminal.
const noteColumns = 80

/** Returns notes, wrapped at 80 columns or at the terminal's width if that is less. */
export function noteLines(notes: readonly string[], columns: number): readonly Line[] {
  const width = Math.min(columns, noteColumns)
  return notes.flatMap((note) => plainLines(wrap(note.split(/(?<!<) /), width).join('\n')))
}

const gap = 2

// The width below which names are not cut.
const shortest = 12

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
  const { arms, results, baseline } = comparison
  const shown = detailedMetrics(comparison, metric)
  const tables = detailTables(comparison, shown).map((table) => detailText(table, columns))
  const formulas = formulaLines(comparison)
  const text = [
    armsTable(comparison, columns),
    ...(formulas.length === 0 ? [] : [['eigen losses', ...formulas].join('\n')]),
    ...(tables.length === 0 ? [`none of these runs has ${shown.join(', ')}`] : tables),
  ].join('\n\n')
  const tests = testsText(results, baseline.label)
  const notes = [
    ...(arms.length > 1 ? [`${marks.best} the best mean.`] : []),
    ...untestedNotes(comparison),
    ...choiceNotes(comparison),
    ...sampleNotes(
      results.map(({ summary }) => summary),
      true,
    ),
    ...(tests === '' ? [] : [tests]),
    ...sizeNotes(
      arms,
      results.filter((result) => shown.includes(result.metric)),
    ),
    'test MSE: by epoch; σ/Σσ: by rank after the last epoch.',
  ]
  return [...sharedLines(comparison, columns), ...plainLines(text), [], ...noteLines(notes, columns)]
}

/** Returns the table of the effects of a sweep's settings, with notes. @param columns the terminal's */
export function effectsLines(effects: Effects, columns: number): readonly Line[] {
  const { heading, columns: titled, rows } = effectsTable(effects)
  const texts = rows.map((cells) => cells.map(({ text }) => text))
  const figures = texts.map(([, ...others]) => others)
  const alignments = titled.map(({ alignment }) => alignment)
  const titles = titled.map(({ title }) => title)
  const space = columns - widestLine(alignedTable(figures, alignments.slice(1), titles.slice(1))) - gap
  const names = truncateDistinct(
    texts.map(([name]) => name!),
    Math.max(shortest, space),
  )
  const table = alignedTable(
    names.map((name, row) => [name, ...figures[row]!]),
    alignments,
    titles,
  )
  const text = `${heading} (${effects.metric})\n${table}`
  return [...plainLines(text), [], ...noteLines(effectsNotes(effects), columns)]
}

function armsTable(comparison: Comparison, columns: number): string {
  const { arms } = comparison
  const losses = arms.map(({ runs }) =>
    byEpoch(columnOf(runs, 'test_mse')).map(({ summary }) => summary.mean),
  )
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
  const space = columns - widestLine(alignedTable(figures, alignments, header)) - 2 * gap
  const names = arms.map(({ shown }) => shown)
  const nameWidth = Math.min(widestOf(names), Math.max(shortest, Math.ceil(space / 2)))
  const labels = truncateDistinct(names, nameWidth)
  const differences = truncateDistinct(differenceTexts(comparison), Math.max(shortest, space - nameWidth))
  const rows = figures.map((row, arm) => [labels[arm]!, differences[arm]!, ...row])
  return alignedTable(rows, ['left', 'left', ...alignments], ['arm', 'what differs', ...header])
}

function widestLine(text: string): number {
  return widestOf(text.split('\n'))
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

/** Returns a metric's table, with the mark of the best mean before the arm's name. */
function detailText(
  { heading, metric, columns, rows }: ReturnType<typeof detailTables>[number],
  width: number,
): string {
  const [alignments, titles] = [columns.map(({ alignment }) => alignment), columns.map(({ title }) => title)]
  const texts = rows.map((cells) => cells.map(({ text }) => text))
  const figures = texts.map(([, ...others]) => others)
  const space = width - widestLine(alignedTable(figures, alignments.slice(1), titles.slice(1))) - gap
  const labels = truncateDistinct(
    texts.map(([name]) => name!),
    Math.max(shortest, space - 2),
  )
  const marked = rows.map((cells, row) => {
    const mark = cells.some(({ best }) => best) ? marks.best : ' '
    return [`${mark} ${labels[row]}`, ...figures[row]!]
  })
  return `${heading} (${metric})\n${alignedTable(marked, alignments, ['', ...titles.slice(1)])}`
}
