/** The picture of the tests: each arm's difference from the baseline with its interval. */
import type { Arm, Comparison, Result } from '../comparison/comparison.js'
import type { Interval } from '../comparison/statistics.js'
import { significanceLevel } from '../comparison/tables.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { armField, type Chart, grey, intervalTooltip, type Spec } from './chart.js'
import { drawsSeeds } from './epochs.js'
import { armRows, finalMetrics, labelMargin, mostRows, rowsHeight } from './final-values.js'

interface Row {
  readonly arm: Arm
  readonly metric: Metric
  readonly difference: number
  readonly interval: Interval
  readonly p: number
}

/**
 * Draws the mean difference of each arm from the baseline with its 95 % interval. Null if no arm has a test over at least
 * five seeds.
 * @param drawn the arms that have a colour in the other pictures; the others are grey
 */
export function differencesChart(comparison: Comparison, drawn: readonly Arm[]): Chart | null {
  const all = comparison.results.flatMap(rowOf)
  const tested = comparison.arms.filter((arm) => all.some((row) => row.arm === arm))
  if (tested.length === 0) return null
  const arms = tested.slice(0, mostRows)
  const rows = all.filter(({ arm }) => arms.includes(arm))
  const metrics = finalMetrics.filter((metric) => rows.some((row) => row.metric === metric))
  const baseline = comparison.arms.find(({ baseline }) => baseline)!.label
  const labels = arms.map(({ label }) => label)
  const colored = drawn.map(({ label }) => label)
  const first = arms.length < tested.length ? `, the first ${arms.length} of ${tested.length} arms` : ''
  return {
    name: 'differences',
    title: `Difference from ${baseline} after the last epoch${first}`,
    caption: `Dots and bars: the mean difference from ${baseline} and its 95 % interval. A filled dot is significant (p < ${significanceLevel}, corrected by Holm over the arms), a ring is not.`,
    panels: {
      count: metrics.length,
      ...{ width: 270, height: rowsHeight(arms.length), columns: 2 },
      margin: labelMargin(labels),
    },
    spec: {
      data: { values: rows.map(dataOf) },
      facet: { field: 'panel', type: 'nominal', title: null, sort: metrics.map(panelOf) },
      spec: { layer: layers(labels, colored) },
      resolve: { scale: { x: 'independent' }, axis: { x: 'independent', y: 'independent' } },
    },
  }
}

function rowOf({ arm, metric, versus }: Result): readonly Row[] {
  if (!finalMetrics.includes(metric) || drawsSeeds(arm) || !versus?.interval) return []
  const { difference, interval, correctedP } = versus
  return [{ arm, metric, difference, interval, p: correctedP ?? 1 }]
}

function panelOf(metric: Metric): string {
  const { title, better } = meaningOf(metric)
  return better === null ? title : `${title} (${better} is better)`
}

function dataOf({ arm, metric, difference, interval, p }: Row): Spec {
  const kind = p < significanceLevel ? 'significant' : 'not significant'
  return { kind, [armField]: arm.label, panel: panelOf(metric), difference, ...interval, p }
}

/** Returns the layers: a line at 0 below intervals and means. */
function layers(labels: readonly string[], colored: readonly string[]): readonly Spec[] {
  const { y, color } = armRows(labels, colored)
  const axis = {
    title: null,
    scale: { padding: 8 },
    axis: { tickCount: 3, labelOverlap: 'greedy', labelSeparation: 4 },
  }
  const x = { field: 'difference', type: 'quantitative', ...axis }
  const tooltip = [
    ...intervalTooltip({ field: 'difference' }, 6),
    { field: 'p', format: '.3f', title: 'p (Holm)' },
  ]
  const dot = (kind: string, filled: boolean) => ({
    mark: { type: 'point', filled, size: 60, opacity: 1, strokeWidth: 2 },
    transform: [{ filter: `datum.kind === '${kind}'` }],
    encoding: { x, y, color, tooltip },
  })
  return [
    { mark: { type: 'rule', strokeDash: [4, 4], color: grey }, encoding: { x: { datum: 0, ...axis } } },
    {
      mark: { type: 'rule', strokeWidth: 2 },
      encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, color },
    },
    dot('not significant', false),
    dot('significant', true),
  ]
}
