import type { Arm, Comparison } from '../../comparison/comparison.js'
import { differingPaths, type Fields, fieldsOf, formulaNames } from '../../comparison/differences.js'
import { epochSeries } from '../../comparison/series.js'
import { withoutWideInterval } from '../../plots/epochs.js'
import { type LoggedMetric, loggedMetrics, meaningOf, metricOf, metrics } from '../../runs/metrics.js'
import type { WholeRun } from '../../runs/read.js'
import type { ArmSeries, Choices, Estimate } from './data.js'

// As many as a line can show on a small screen; with all metrics of twelve arms, a megabyte.
const mostEpochs = 200

// More points would hide each other, and make the page slow.
const mostRuns = 5000

/** Returns the data of the chart whose axes the reader chooses. @param drawn the arms of the pictures */
export function choicesOf({ arms }: Comparison, drawn: readonly Arm[]): Choices {
  const labels = new Map(drawn.map(({ name, label }) => [name, label]))
  const runs = arms.flatMap(({ name, label, runs }) =>
    runs.map((run) => ({ arm: labels.get(name) ?? label, run })),
  )
  const names = formulaNames(arms.map(({ config }) => config))
  const paths = differingPaths(arms.map(({ config }) => fieldsOf(config, names)))
  const logged = loggedMetrics.filter((metric) => runs.some(({ run }) => isMeasured(run, metric)))
  const final = metrics.filter((metric) => runs.some(({ run }) => metricOf(run, metric) !== null))
  const values = (run: WholeRun) => [
    ...final.map((metric) => roundedOrNull(metricOf(run, metric))),
    ...configValues(fieldsOf(run.config, names), paths),
  ]
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

function isMeasured({ metrics: rows }: WholeRun, metric: LoggedMetric): boolean {
  return Number.isFinite(rows.at(-1)?.[metric])
}

/** Returns the values of config fields; numbers as numbers, so that they have a place on an axis. */
function configValues(fields: Fields, paths: readonly string[]): readonly (number | string | null)[] {
  return paths.map((path) => {
    const value = fields.get(path)
    if (value === undefined) return null
    return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
  })
}

function seriesOf(arm: Arm, logged: readonly LoggedMetric[]): ArmSeries {
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

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value)
}

/** Six digits are more than a picture can show. */
function rounded(value: number): number {
  return Number(value.toPrecision(6))
}
