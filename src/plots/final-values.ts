import type { Arm, Comparison } from '../comparison/comparison.js'
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import { armColors, armField, type Chart, grey, intervalTooltip, type Spec } from './chart.js'
import { withoutWideInterval } from './epochs.js'

/** The metrics of the pictures with a row for each arm. */
export const finalMetrics: readonly Metric[] = [
  'test_mse',
  'test_denoise_mse',
  'effective_rank',
  'linear_probe_accuracy',
]

// More ticks of an arm would overlap, and more of all arms would make a page slow that draws them again after each epoch.
const mostTicks = 50
const mostTicksOfAll = 2000

// About the width of a label's character and of the space around a label, in pixels.
const labelSize = { character: 6.3, around: 24 }

/** Arms with a row each; more would make a picture too high for a page. */
export const mostRows = 40

/** Height in pixels of a panel with a row for each arm. */
export function rowsHeight(arms: number): number {
  return Math.max(60, (arms > 12 ? 20 : 28) * arms)
}

/** Pixels beside a panel for the labels of its rows. */
export function labelMargin(labels: readonly string[]): number {
  return Math.ceil(labelSize.around + labelSize.character * Math.max(...labels.map(({ length }) => length)))
}

/**
 * Draws the final values of runs as ticks, with the arm's mean and interval of all its runs.
 * @param drawn the arms that have a colour in the other pictures; the others are grey
 */
export function finalValuesChart(whole: Comparison, drawn: readonly Arm[]): Chart {
  const arms = whole.arms.slice(0, mostRows)
  const comparison = { ...whole, arms }
  const { results } = comparison
  const chosen = finalMetrics.filter((metric) => results.some((result) => result.metric === metric))
  const margin = labelMargin(arms.map(({ label }) => label))
  const most = Math.max(1, Math.min(mostTicks, Math.floor(mostTicksOfAll / (arms.length * chosen.length))))
  const areAllDrawn = arms.every(({ runs }) => runs.length <= most)
  const panel = { width: 270, height: rowsHeight(arms.length) }
  return {
    name: 'final',
    // A picture can be used without its caption, so its title says which arms and runs it lacks.
    title: [
      'After the last epoch',
      ...(arms.length < whole.arms.length ? [`the first ${arms.length} of ${whole.arms.length} arms`] : []),
      ...(areAllDrawn ? [] : [`the first ${most} runs of each arm`]),
    ].join(', '),
    caption: `Ticks: ${areAllDrawn ? 'single runs' : `the first ${most} runs of each arm`}. Dots and bars: ${areAllDrawn ? 'their mean' : 'the mean of all runs'} and, with at least five seeds, its 95 % interval.`,
    panels: { count: chosen.length, ...panel, columns: 2, margin },
    spec: {
      data: { values: [...meansOf(comparison, chosen), ...runsOf(comparison, chosen, most)] },
      facet: { field: 'panel', type: 'nominal', title: null, sort: chosen.map(titleOf) },
      spec: {
        layer: layers(
          arms.map(({ label }) => label),
          drawn.map(({ label }) => label),
        ),
      },
      resolve: { scale: { x: 'independent' }, axis: { x: 'independent', y: 'independent' } },
    },
  }
}

function titleOf(metric: Metric): string {
  return meaningOf(metric).title
}

function meansOf({ arms, results }: Comparison, chosen: readonly Metric[]): readonly Spec[] {
  return results
    .filter(({ arm, metric }) => arms.includes(arm) && chosen.includes(metric))
    .map(({ arm, metric, summary }) => {
      const { mean, interval } = withoutWideInterval(arm, summary)
      const row = { kind: 'mean', [armField]: arm.label, panel: titleOf(metric), value: mean }
      return { ...row, low: interval?.low ?? mean, high: interval?.high ?? mean }
    })
}

function runsOf({ arms }: Comparison, chosen: readonly Metric[], most: number): readonly Spec[] {
  return arms.flatMap((arm) =>
    chosen.flatMap((metric) =>
      arm.runs.slice(0, most).map((run) => ({
        kind: 'run',
        [armField]: arm.label,
        panel: titleOf(metric),
        value: metricOf(run, metric),
        seed: run.record.seed,
      })),
    ),
  )
}

/** Returns the encodings of a row for each arm. Arms that are not in the second list are grey. */
export function armRows(labels: readonly string[], colored: readonly string[]) {
  return {
    y: { field: armField, type: 'nominal', sort: labels, axis: { title: null } },
    color: {
      condition: { test: { field: armField, oneOf: colored }, ...armColors(colored) },
      value: grey,
    },
  }
}

/** Returns the layers: ticks of runs below intervals and means. */
function layers(labels: readonly string[], colored: readonly string[]): readonly Spec[] {
  const { y, color } = armRows(labels, colored)
  const axis = {
    title: null,
    scale: { zero: false, padding: 8 },
    axis: { tickCount: 4, labelOverlap: 'greedy', labelSeparation: 6 },
  }
  const x = { field: 'value', type: 'quantitative', ...axis }
  const layer = (kind: 'run' | 'mean', mark: Spec, encoding: Spec) => ({
    mark,
    transform: [{ filter: `datum.kind === '${kind}'` }],
    encoding: { x, y, color, ...encoding },
  })
  const value = { field: 'value', format: '.5f' }
  return [
    layer(
      'run',
      { type: 'tick', thickness: 1, opacity: 0.7, size: 14 },
      { tooltip: [{ field: armField, title: 'arm' }, { field: 'seed' }, value] },
    ),
    layer('mean', { type: 'rule', strokeWidth: 2 }, { x: { ...x, field: 'low' }, x2: { field: 'high' } }),
    layer(
      'mean',
      { type: 'point', filled: true, size: 60, opacity: 1 },
      { tooltip: intervalTooltip({ field: 'value', title: 'mean' }, 5) },
    ),
  ]
}
