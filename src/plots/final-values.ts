import type { Comparison } from '../comparison/compare.js'
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import { armField, type Chart } from './chart.js'

const shown: readonly Metric[] = ['test_mse', 'test_denoise_mse', 'effective_rank', 'linear_probe_accuracy']

// More lie over each other.
const mostTicks = 50

/** Where every run ended, each a tick, with the arm's mean and interval. */
export function finalValuesChart({ arms, results }: Comparison): Chart {
  const labels = arms.map(({ label }) => label)
  const chosen = shown.filter((metric) => results.some((result) => result.metric === metric))
  const title = (metric: Metric) => meaningOf(metric).title
  const means = results
    .filter(({ arm, metric }) => arms.includes(arm) && chosen.includes(metric))
    .map(({ arm, metric, summary: { mean, interval } }) => ({
      ...{ [armField]: arm.label, panel: title(metric), value: mean },
      ...{ low: interval?.low ?? mean, high: interval?.high ?? mean, kind: 'mean' },
    }))
  const runs = arms.flatMap((arm) =>
    chosen.flatMap((metric) =>
      arm.runs.slice(0, mostTicks).map((run) => ({
        ...{ [armField]: arm.label, panel: title(metric), value: metricOf(run, metric), kind: 'run' },
        seed: run.record.seed,
      })),
    ),
  )
  const y = { field: armField, type: 'nominal', sort: labels, axis: { title: null } }
  const x = {
    field: 'value',
    type: 'quantitative',
    title: null,
    scale: { zero: false },
    axis: { tickCount: 4 },
  }
  const of = (kind: string) => [{ filter: `datum.kind === '${kind}'` }]
  return {
    name: 'final',
    title: 'After the last epoch',
    caption:
      'Ticks: single runs. Dots and bars: their mean with its 95 % interval, where there are several seeds.',
    panels: {
      count: chosen.length,
      width: 270,
      height: Math.max(60, 28 * arms.length),
      columns: 2,
      margin: 190,
    },
    spec: {
      data: { values: [...means, ...runs] },
      facet: { field: 'panel', type: 'nominal', title: null, sort: chosen.map(title) },
      spec: {
        layer: [
          {
            mark: { type: 'tick', thickness: 1, opacity: 0.7, size: 14 },
            transform: of('run'),
            encoding: {
              x,
              y,
              tooltip: [
                { field: armField, title: 'arm' },
                { field: 'seed' },
                { field: 'value', format: '.5f' },
              ],
            },
          },
          {
            mark: { type: 'rule', strokeWidth: 2 },
            transform: of('mean'),
            encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y },
          },
          {
            mark: { type: 'point', filled: true, size: 60, opacity: 1 },
            transform: of('mean'),
            encoding: {
              x,
              y,
              tooltip: [
                { field: armField, title: 'arm' },
                { field: 'value', format: '.5f', title: 'mean' },
                { field: 'low', format: '.5f', title: '95 % from' },
                { field: 'high', format: '.5f', title: 'to' },
              ],
            },
          },
        ],
      },
      resolve: { scale: { x: 'independent' }, axis: { x: 'independent', y: 'independent' } },
    },
  }
}
