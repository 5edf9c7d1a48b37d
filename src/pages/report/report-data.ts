/** The data for the report's script: its tables, which may have thousands of rows, and the values to choose axes from. */
import type { Arm, Comparison } from '../../comparison/comparison.js'
import {
  countHint,
  countText,
  detailedMetrics,
  detailTables,
  differenceWithInterval,
  effectText,
  formulaLines,
  type MetricColumn,
  mainNotes,
  mainTable,
  marks,
  marksOf,
  meanCells,
  pText,
  rowNames,
  verdictOf,
} from '../../comparison/comparison-tables.js'
import { comparisonCsv } from '../../comparison/formats.js'
import { differingFields } from '../../comparison/labels.js'
import { columnOf, epochLine } from '../../comparison/series.js'
import type { Chart } from '../../plots/chart.js'
import { drawnArms } from '../../plots/comparison-pictures.js'
import { drawnOf } from '../../plots/drawn.js'
import { withoutWideInterval } from '../../plots/epochs.js'
import { numberOrText } from '../../plots/settings.js'
import { themeOf } from '../../plots/theme.js'
import {
  type LoggedMetric,
  loggedMetrics,
  type Metric,
  meaningOf,
  metricOf,
  metrics,
} from '../../runs/metrics.js'
import type {
  Choices,
  Estimate,
  ReportData,
  TableCell,
  TableColumn,
  TableData,
  TableRow,
} from './report-format.js'

// comparison.csv of a larger comparison lies only beside the report.
const largestCsv = 4 << 20

/**
 * Returns the data for the report's script.
 * @param drawn the comparison of the pictures, which may have runs that are not complete
 */
export function reportData(
  comparison: Comparison,
  pictures: readonly Chart[],
  drawn: Comparison = comparison,
): ReportData {
  const font = 'system-ui, sans-serif'
  const labelLimit = 240
  const arms = drawnArms(drawn)
  const csv = comparisonCsv(comparison)
  return {
    charts: pictures,
    labels: arms.map(({ label }) => label),
    themes: { light: themeOf('light', font, labelLimit), dark: themeOf('dark', font, labelLimit) },
    tables: reportTables(comparison),
    notes: [
      ...mainNotes(comparison, mainTable(comparison), true),
      ...formulaLines(comparison).map((line) => `Eigen loss of ${line}`),
    ],
    choices: choicesOf(drawn, arms),
    csv: csv.length > largestCsv ? null : csv,
  }
}

// As many as a line can show on a small screen; with all metrics of twelve arms, a megabyte.
const mostEpochs = 200

// More points would hide each other, and make the page slow.
const mostRuns = 5000

/** Returns the data of the chart whose axes the reader chooses. @param drawn the arms of the pictures */
function choicesOf({ arms }: Comparison, drawn: readonly Arm[]): Choices {
  const labels = new Map(drawn.map(({ name, label }) => [name, label]))
  const runs = arms.flatMap(({ name, shown, runs }) =>
    runs.map((run) => ({ arm: labels.get(name) ?? shown, run })),
  )
  const { paths, fields } = differingFields(runs.map(({ run }) => run.config))
  const logged = loggedMetrics.filter((metric) =>
    runs.some(({ run }) => Number.isFinite(run.metrics.at(-1)?.[metric])),
  )
  const final = metrics.filter((metric) => runs.some(({ run }) => metricOf(run, metric) !== null))
  return {
    logged: logged.map((name) => ({ name, title: meaningOf(name).title })),
    final: [
      ...final.map((name) => ({ name, title: meaningOf(name).title })),
      ...paths.map((name) => ({ name, title: name })),
    ],
    arms: drawn.map((arm) => loggedSeries(arm, logged)),
    runs: runs.slice(0, mostRuns).map(({ arm, run }, index) => ({
      run: run.folder,
      arm,
      values: [
        ...final.map((metric) => metricOf(run, metric)).map((value) => value && rounded(value)),
        ...paths
          .map((path) => fields[index]!.get(path))
          .map((text) => (text === undefined ? null : numberOrText(text))),
      ],
    })),
  }
}

function loggedSeries(arm: Arm, logged: readonly LoggedMetric[]) {
  const columns = logged.map(
    (metric) =>
      new Map(
        epochLine(columnOf(arm.runs, metric), mostEpochs).map(({ epoch, summary }) => [epoch, summary]),
      ),
  )
  const epochs = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b)
  return {
    epochs,
    values: columns.map((column) =>
      epochs.map((epoch): Estimate | null => {
        const summary = column.get(epoch)
        if (summary === undefined) return null
        const { mean, interval } = withoutWideInterval(arm, summary)
        return interval === null
          ? [rounded(mean)]
          : [rounded(mean), rounded(interval.low), rounded(interval.high)]
      }),
    ),
  }
}

/** Six digits are more than a picture can show. */
function rounded(value: number): number {
  return Number(value.toPrecision(6))
}

/** The ids of the tables' elements. */
export const tableIds = { main: 'table-main', runs: 'table-runs' } as const

/** Returns the id of the table with all numbers of a metric. */
export function metricTableId(metric: Metric): string {
  return `table-${metric}`
}

/** Returns the metrics with results, the main ones first. */
export function shownMetrics(comparison: Comparison): readonly Metric[] {
  const present = new Set(comparison.results.map(({ metric }) => metric))
  return [...new Set([...detailedMetrics(comparison), ...metrics])].filter((metric) => present.has(metric))
}

/** Returns all tables by the ids of their elements. */
function reportTables(comparison: Comparison): Readonly<Record<string, TableData>> {
  // The drawn arms have a colour.
  const colours = new Map(drawnOf(comparison).map((arm, index) => [arm, index]))
  const byMetric = detailTables(comparison, shownMetrics(comparison), true).map((table) => [
    metricTableId(table.metric),
    metricTable(table, colours),
  ])
  return {
    [tableIds.main]: mainTableData(comparison, colours),
    ...Object.fromEntries(byMetric),
    [tableIds.runs]: runsTable(comparison),
  }
}

const armColumn: TableColumn = { title: 'arm', align: 'left' }
const countColumn: TableColumn = { title: 'n', align: 'right', hint: countHint, descending: true }

/** The main table that `compare` prints; the arms without a completed run come last. */
function mainTableData(comparison: Comparison, colours: ReadonlyMap<Arm, number>): TableData {
  const { rows, columns, hasDifferences } = mainTable(comparison)
  const names = rowNames(rows)
  const cells = columns.map(metricCells)
  return {
    columns: [
      armColumn,
      countColumn,
      ...columns.map(({ metric, header }): TableColumn => {
        const { title, better } = meaningOf(metric)
        const direction = better === null ? '' : better === 'lower' ? ' ↓' : ' ↑'
        const hint = `${title}${better === null ? '' : `, ${better} is better`} (${metric})`
        return { title: `${header}${direction}`, hint, align: 'right', descending: better === 'higher' }
      }),
      ...(hasDifferences ? [{ title: 'what differs', align: 'left' } as const] : []),
    ],
    rows: rows.map((row, index) => ({
      ...colourOf(comparison.arms[index], colours),
      cells: [
        { text: names[index]!, hint: [row.label, row.difference].join('\n').trim() },
        {
          text: countText(row),
          sort: row.complete,
          ...(row.incomplete !== '' && { hint: row.incomplete, tone: 'incomplete' }),
        },
        ...cells.map((column) => column[index]!),
        ...(hasDifferences ? [row.difference] : []),
      ],
    })),
  }
}

/** The means of a metric with their intervals and marks. */
function metricCells(column: MetricColumn): readonly TableCell[] {
  const texts = meanCells(column, true)
  return column.results.map((result, row) => {
    if (result === null) return { text: '–', sort: null }
    return {
      text: `${texts[row]!.trim()} ${marksOf(result)}`.trim(),
      sort: result.summary.mean,
      tone: [verdictOf(result) ?? '', result.best ? 'best' : ''].join(' ').trim(),
      ...(result.versus !== null && {
        hint: `difference ${differenceWithInterval(result)}, p ${pText(result)}, g ${effectText(result)}`,
      }),
    }
  })
}

/** One row per arm: the statistics of a metric. */
function metricTable(
  { columns, rows, results }: ReturnType<typeof detailTables>[number],
  colours: ReadonlyMap<Arm, number>,
): TableData {
  const figures = columns.slice(2)
  return {
    columns: [
      armColumn,
      countColumn,
      ...figures.map(({ title, alignment, hint }) => ({ title, align: alignment, hint })),
    ],
    rows: rows.map((cells, row) => ({
      ...colourOf(results[row]!.arm, colours),
      cells: cells.map(({ text, value, best }) => ({
        text: best ? `${text} ${marks.best}` : text,
        ...(value !== undefined && { sort: value }),
        ...(best && { tone: 'best' }),
      })),
    })),
  }
}

function colourOf(arm: Arm | undefined, colours: ReadonlyMap<Arm, number>): Pick<TableRow, 'arm'> {
  const index = arm && colours.get(arm)
  return index === undefined ? {} : { arm: index }
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
        folder,
        { text: String(record.seed), sort: record.seed },
        status,
        `${record.engine.name} ${record.engine.variant}, ${record.device}`,
        record.versions.eigenae,
        `${record.gitCommit?.slice(0, 10) ?? '–'}${record.gitDirty ? ' (modified)' : ''}`,
        record.host,
        'ended' in record ? record.ended.replace('T', ' ').replace(/\.\d+Z$/, ' UTC') : '–',
      ],
    })),
  }
}
