/** The data for the report's script. */
import type { Arm, Comparison } from '../../comparison/comparison.js'
import { differingPaths, fieldsOf, formulaNames } from '../../comparison/differences.js'
import { comparisonCsv } from '../../comparison/export.js'
import { epochSeries } from '../../comparison/series.js'
import type { Chart } from '../../plots/chart.js'
import { drawnArms } from '../../plots/comparison.js'
import { withoutWideInterval } from '../../plots/epochs.js'
import { themeOf } from '../../plots/theme.js'
import { type LoggedMetric, loggedMetrics, meaningOf, metricOf, metrics } from '../../runs/metrics.js'
import type { WholeRun } from '../../runs/read.js'
import type { Choices, Estimate, ReportData } from './data.js'
import { mainTableNotes, reportTables } from './tables.js'

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
    notes: mainTableNotes(comparison),
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
  const runs = arms.flatMap(({ name, label, runs }) =>
    runs.map((run) => ({ arm: labels.get(name) ?? label, run })),
  )
  const names = formulaNames(arms.map(({ config }) => config))
  const paths = differingPaths(arms.map(({ config }) => fieldsOf(config, names)))
  const logged = loggedMetrics.filter((metric) =>
    runs.some(({ run }) => Number.isFinite(run.metrics.at(-1)?.[metric])),
  )
  const final = metrics.filter((metric) => runs.some(({ run }) => metricOf(run, metric) !== null))
  const values = (run: WholeRun) => {
    const fields = fieldsOf(run.config, names)
    return [
      ...final
        .map((metric) => metricOf(run, metric))
        .map((value) => (value === null ? null : rounded(value))),
      ...paths.map((path) => numberOrText(fields.get(path))),
    ]
  }
  return {
    logged: logged.map((name) => ({ name, title: meaningOf(name).title })),
    final: [
      ...final.map((name) => ({ name, title: meaningOf(name).title })),
      ...paths.map((name) => ({ name, title: name })),
    ],
    arms: drawn.map((arm) => seriesOf(arm, logged)),
    runs: runs.slice(0, mostRuns).map(({ arm, run }) => ({ run: run.folder, arm, values: values(run) })),
  }
}

/** Returns the value of a config field, a number as a number, so that it has a place on an axis. */
function numberOrText(value: string | undefined): number | string | null {
  if (value === undefined) return null
  return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
}

function seriesOf(arm: Arm, logged: readonly LoggedMetric[]) {
  const columns = logged.map(
    (metric) => new Map(epochSeries(arm, metric, mostEpochs).map(({ epoch, summary }) => [epoch, summary])),
  )
  const epochs = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b)
  return {
    epochs,
    values: columns.map((column) =>
      epochs.map((epoch): Estimate | null => {
        const summary = column.get(epoch)
        if (summary === undefined || !Number.isFinite(summary.mean)) return null
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
