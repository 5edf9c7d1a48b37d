/** The tables of the report as data. Its script shows and sorts them, because those of thousands of arms are long. */
import type { Arm, Comparison, Result } from '../../comparison/comparison.js'
import { power } from '../../comparison/statistics.js'
import {
  countText,
  detectableText,
  differenceText,
  effectText,
  formulaLines,
  type MainRow,
  type MetricColumn,
  mainNotes,
  mainTable as mainTableOf,
  marks,
  marksOf,
  meanCells,
  meanText,
  pText,
  rowNames,
  signed,
  verdictOf,
} from '../../comparison/tables.js'
import { drawnOf } from '../../plots/chart.js'
import { type Metric, meaningOf, metrics } from '../../runs/metrics.js'
import { escapeControls } from '../../text/format.js'
import type { TableCell, TableColumn, TableData, TableRow } from './data.js'

/** The ids of the tables' elements. */
export const tableIds = { main: 'table-main', runs: 'table-runs' } as const

/** Returns the id of the table with all numbers of a metric. */
export function metricTableId(metric: Metric): string {
  return `table-${metric}`
}

/** Returns the metrics with results, the main ones first. */
export function shownMetrics({ results }: Comparison): readonly Metric[] {
  const present = new Set(results.map(({ metric }) => metric))
  const shown = metrics.filter((metric) => present.has(metric))
  const isMain = (metric: Metric) => meaningOf(metric).main
  return [...shown.filter(isMain), ...shown.filter((metric) => !isMain(metric))]
}

/** Returns all tables by the ids of their elements. */
export function reportTables(comparison: Comparison): Readonly<Record<string, TableData>> {
  const colours = new Map(drawnOf(comparison.arms).map((arm, index) => [arm, index]))
  const byMetric = shownMetrics(comparison).map((metric) => [
    metricTableId(metric),
    metricTable(
      comparison.results.filter((result) => result.metric === metric),
      colours,
    ),
  ])
  return {
    [tableIds.main]: mainTable(comparison, colours),
    ...Object.fromEntries(byMetric),
    [tableIds.runs]: runsTable(comparison),
  }
}

const armColumn: TableColumn = { title: 'arm', align: 'left' }
const countColumn: TableColumn = { title: 'n', align: 'right', hint: 'number of runs', descending: true }

/** The indexes of the drawn arms, which have a colour. */
type Colours = ReadonlyMap<Arm, number>

/** Returns the notes below the main table. */
export function mainTableNotes(comparison: Comparison): readonly string[] {
  const notes = mainNotes(comparison, mainTableOf(comparison), true)
  const formulas = formulaLines(comparison).map((line) => `Eigen loss of ${line}`)
  return [...notes, ...formulas].map(escapeControls)
}

/** The main table that `compare` prints; the arms without a completed run come last. */
function mainTable(comparison: Comparison, colours: Colours): TableData {
  const { rows, columns, hasDifferences } = mainTableOf(comparison)
  const names = rowNames(rows)
  const cells = columns.map(metricCells)
  return {
    columns: [
      armColumn,
      countColumn,
      ...columns.map(metricColumn),
      ...(hasDifferences ? [{ title: 'what differs', align: 'left' } as const] : []),
    ],
    rows: rows.map((row, index) => ({
      ...colourOf(comparison.arms[index], colours),
      cells: [
        { text: plain(names[index]!), hint: plain([row.label, row.difference].join('\n').trim()) },
        countCell(row),
        ...cells.map((column) => column[index]!),
        ...(hasDifferences ? [plain(row.difference)] : []),
      ],
    })),
  }
}

function countCell(row: MainRow): TableCell {
  const isWhole = row.incomplete === ''
  return {
    text: countText(row),
    sort: row.complete,
    ...(!isWhole && { hint: row.incomplete, tone: 'incomplete' }),
  }
}

function metricColumn({ metric, header }: MetricColumn): TableColumn {
  const { title, better } = meaningOf(metric)
  const direction = better === null ? '' : better === 'lower' ? ' ↓' : ' ↑'
  return {
    title: `${header}${direction}`,
    hint: `${title}${better === null ? '' : `, ${better} is better`} (${metric})`,
    align: 'right',
    descending: better === 'higher',
  }
}

/** The means with their intervals and marks. */
function metricCells(column: MetricColumn): readonly TableCell[] {
  const texts = meanCells(column, true)
  return column.results.map((result, row) => {
    if (result === null) return { text: '–', sort: null }
    const tone = [verdictOf(result) ?? '', result.best ? 'best' : ''].join(' ').trim()
    return {
      text: `${texts[row]!.trim()} ${marksOf(result)}`.trim(),
      sort: result.summary.mean,
      tone,
      ...(result.versus !== null && {
        hint: `difference ${differenceWithInterval(result)}, p ${pText(result)}, g ${effectText(result)}`,
      }),
    }
  })
}

/** One row per arm: the statistics of a metric. */
function metricTable(results: readonly Result[], colours: Colours): TableData {
  return {
    columns: [
      armColumn,
      countColumn,
      { title: 'mean ± 95 %', align: 'right', hint: 'mean and half-width of its 95 % interval' },
      {
        title: 'difference ± 95 %',
        align: 'right',
        hint: 'difference from the baseline and half-width of its 95 % interval',
      },
      { title: 'p', align: 'right', hint: "p-value, corrected by Holm's method" },
      { title: 'g', align: 'right', hint: "Hedges' g" },
      {
        title: 'detectable',
        align: 'right',
        hint: `a true difference of this size gives an uncorrected p < 0.05 with a probability of ${100 * power} %`,
      },
    ],
    rows: results.map((result) => metricRow(result, colours)),
  }
}

function colourOf(arm: Arm | undefined, colours: Colours): Pick<TableRow, 'arm'> {
  const index = arm && colours.get(arm)
  return index === undefined ? {} : { arm: index }
}

function metricRow(result: Result, colours: Colours): TableRow {
  const { summary, versus, best } = result
  return {
    ...colourOf(result.arm, colours),
    cells: [
      plain(result.arm.label),
      { text: String(summary.n), sort: summary.n },
      best
        ? { text: `${meanText(summary)} ${marks.best}`, sort: summary.mean, tone: 'best' }
        : { text: meanText(summary), sort: summary.mean },
      { text: differenceWithInterval(result), sort: versus?.difference ?? null },
      { text: pText(result), sort: versus?.correctedP ?? null },
      { text: effectText(result), sort: versus?.hedgesG ?? null },
      { text: detectableText(result), sort: versus?.detectable ?? null },
    ],
  }
}

function differenceWithInterval(result: Result): string {
  const { difference = 0, interval } = result.versus ?? {}
  return interval ? signed(difference, meanText({ mean: difference, interval })) : differenceText(result)
}

/** All runs with the engine and the version that made them. */
function runsTable({ arms }: Comparison): TableData {
  const left = (title: string): TableColumn => ({ title, align: 'left' })
  const runs = arms.flatMap(({ runs, leftOut }) => [...runs, ...leftOut])
  return {
    columns: [
      left('run'),
      { title: 'seed', align: 'right' },
      ...['status', 'engine', 'eigenae', 'commit', 'host', 'ended'].map(left),
    ],
    rows: runs.map(({ folder, record, status }) => ({
      cells: [
        plain(folder),
        { text: String(record.seed), sort: record.seed },
        status,
        plain(`${record.engine.name} ${record.engine.variant}, ${record.device}`),
        plain(record.versions.eigenae),
        plain(`${record.gitCommit?.slice(0, 10) ?? '–'}${record.gitDirty ? ' (modified)' : ''}`),
        plain(record.host),
        'ended' in record ? plain(record.ended.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')) : '–',
      ],
    })),
  }
}

/** Names come from folders and configs, which may hold any character. */
function plain(text: string): string {
  return escapeControls(text)
}
