/** The tables of the report as data. Its script shows and sorts them, because those of thousands of arms are long. */
import type { Arm, Comparison, Result } from '../comparison/compare.js'
import { differenceText, effectText, meanText, pText } from '../comparison/text.js'
import { drawnOf } from '../plots/drawn.js'
import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { escapeControls } from '../text/format.js'
import type { TableCell, TableColumn, TableData, TableRow } from './report-data.js'

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

/** One row per arm, one column per main metric. */
function mainTable(comparison: Comparison, colours: Colours): TableData {
  const { arms, results } = comparison
  const main = shownMetrics(comparison).filter((metric) => meaningOf(metric).main)
  const found = new Map(main.map((metric) => [metric, new Map<Arm, Result>()]))
  for (const result of results) found.get(result.metric)?.set(result.arm, result)
  const explains = arms.some(({ difference, label }) => difference !== '' && difference !== label)
  return {
    columns: [
      armColumn,
      ...(explains ? [{ title: 'what differs', align: 'left' } as const] : []),
      countColumn,
      ...main.map(metricColumn),
    ],
    rows: arms.map((arm) => ({
      ...colourOf(arm, colours),
      cells: [
        plain(arm.label),
        ...(explains ? [plain(arm.difference)] : []),
        { text: String(arm.runs.length), sort: arm.runs.length },
        ...main.map((metric) => mainCell(found.get(metric)?.get(arm))),
      ],
    })),
  }
}

function metricColumn(metric: Metric): TableColumn {
  const { title, label, better } = meaningOf(metric)
  const direction = better === null ? '' : better === 'lower' ? ' ↓' : ' ↑'
  return {
    title: `${label}${direction}`,
    hint: `${title}${better === null ? '' : `, ${better} is better`} (${metric})`,
    align: 'right',
    descending: better === 'higher',
  }
}

/** The mean with its interval, stars for the p-value, and whether the difference from the baseline is an improvement. */
function mainCell(result: Result | undefined): TableCell {
  if (result === undefined) return { text: '–', sort: null }
  const { metric, summary, versus, best } = result
  const p = versus?.correctedP ?? 1
  const stars = p < 0.001 ? ' ***' : p < 0.01 ? ' **' : p < 0.05 ? ' *' : ''
  const { better } = meaningOf(metric)
  const isLower = (versus?.difference ?? 0) < 0
  const tone = stars === '' || better === null ? [] : [isLower === (better === 'lower') ? 'better' : 'worse']
  return {
    text: meanText(summary) + stars,
    sort: summary.mean,
    tone: [...tone, ...(best ? ['best'] : [])].join(' '),
    ...(versus !== null && {
      hint: `difference ${differenceWithInterval(result)}, p ${pText(result)}, g ${effectText(result)}`,
    }),
  }
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
    ],
    rows: results.map((result) => metricRow(result, colours)),
  }
}

function colourOf(arm: Arm, colours: Colours): Pick<TableRow, 'arm'> {
  const index = colours.get(arm)
  return index === undefined ? {} : { arm: index }
}

function metricRow(result: Result, colours: Colours): TableRow {
  const { summary, versus, best } = result
  return {
    ...colourOf(result.arm, colours),
    cells: [
      plain(result.arm.label),
      { text: String(summary.n), sort: summary.n },
      { text: meanText(summary), sort: summary.mean, ...(best && { tone: 'best' }) },
      { text: differenceWithInterval(result), sort: versus?.difference ?? null },
      { text: pText(result), sort: versus?.correctedP ?? null },
      { text: effectText(result), sort: versus?.hedgesG ?? null },
    ],
  }
}

function differenceWithInterval(result: Result): string {
  const interval = result.versus?.interval
  if (!interval) return differenceText(result)
  const text = meanText({ n: result.summary.n, mean: result.versus!.difference, sd: null, interval })
  return `${result.versus!.difference > 0 ? '+' : ''}${text}`.replace('-', '−')
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
