/** The pictures with a row for each arm: the final values, and the differences from the baseline. */
import { areComparable } from '../comparison/compare.js'
import type { Arm, Comparison, Result } from '../comparison/comparison.js'
import { significanceLevel } from '../comparison/comparison-tables.js'
import { choosingMetric } from '../comparison/selection.js'
import { isTestMetric, type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import {
  armColorOrGrey,
  armField,
  armText,
  type Chart,
  grey,
  intervalTooltip,
  layerOf,
  numbers,
  panelsBy,
  type Spec,
} from './chart.js'
import { drawnOf, drawnText } from './drawn.js'
import { drawsSeeds, labelsOf, withoutWideInterval } from './epochs.js'

/** Returns the metrics of the pictures with several panels. */
export function finalMetricsOf(arms: readonly Arm[]): readonly Metric[] {
  return ['test_mse', 'test_denoise_mse', rankMetric(arms), 'linear_probe_accuracy']
}

/** Returns the metric of the error in the pictures of grids and searches, in which arms are chosen. */
export function errorMetric(arms: readonly Arm[]): Metric {
  const metric = choosingMetric(arms)
  return isTestMetric(metric) ? 'test_mse' : metric
}

/** Returns the metric of the rank that is comparable between the arms: its share of d if they differ in d. */
export function rankMetric(arms: readonly Arm[]): 'effective_rank' | 'rank_share' {
  return areComparable(arms, 'effective_rank') ? 'effective_rank' : 'rank_share'
}

/** Returns the results of a metric by the names of their arms. */
export function resultsByArm(results: readonly Result[], metric: Metric): ReadonlyMap<string, Result> {
  return new Map(results.filter((each) => each.metric === metric).map((each) => [each.arm.name, each]))
}

// More ticks of an arm would overlap, and more of all arms would make a page slow that draws them again after each epoch.
const mostTicks = 50
const mostTicksOfAll = 2000

// About the width of a label's character and of the space around a label, in pixels.
const labelSize = { character: 6.3, around: 24 }

/** Arms with a row each; more would make a picture too high for a page. */
const mostRows = 40

/**
 * Draws the final values of runs as ticks, with the arm's mean and interval of all its runs.
 * @param drawn the arms that have a colour in the other pictures; the others are grey
 */
export function finalValuesChart(comparison: Comparison, drawn: readonly Arm[]): Chart {
  const { arms: all, results } = comparison
  const arms = drawnOf(comparison, mostRows)
  const shown = drawnText(comparison, mostRows)
  const metrics = finalMetricsOf(all).filter((metric) => results.some((result) => result.metric === metric))
  const panelOf = (metric: Metric) => meaningOf(metric).title
  const most = Math.max(1, Math.min(mostTicks, Math.floor(mostTicksOfAll / (arms.length * metrics.length))))
  const areAllDrawn = arms.every(({ runs }) => runs.length <= most)
  const firstRuns = `the first ${most} runs of each arm`
  const means = results
    .filter(({ arm, metric }) => arms.includes(arm) && metrics.includes(metric))
    .map(({ arm, metric, summary }) => {
      const { mean, interval } = withoutWideInterval(arm, summary)
      const bounds = interval ?? { low: mean, high: mean }
      return { kind: 'mean', [armField]: arm.label, panel: panelOf(metric), value: mean, ...bounds }
    })
  const runs = arms.flatMap(({ label, runs }) =>
    metrics.flatMap((metric) =>
      runs.slice(0, most).map((run) => ({
        kind: 'run',
        [armField]: label,
        panel: panelOf(metric),
        value: metricOf(run, metric),
        seed: run.record.seed,
      })),
    ),
  )
  const axis = {
    title: null,
    scale: { zero: false, padding: 8 },
    axis: { tickCount: 4, labelOverlap: 'greedy', labelSeparation: 6 },
  }
  const x = numbers('value', axis)
  const tick = { type: 'tick', thickness: 1, opacity: 0.7, size: 14 }
  const seed = [armText, { field: 'seed' }, { field: 'value', format: '.5f' }]
  const mean = intervalTooltip({ field: 'value', title: 'mean' }, '.5f')
  return rowsChart(
    {
      name: 'final',
      // A picture can be used without its caption, so its title says which arms and runs it lacks.
      title: [
        'After the last epoch',
        ...(shown === null ? [] : [shown]),
        ...(areAllDrawn ? [] : [firstRuns]),
      ].join(', '),
      caption: `Ticks: ${areAllDrawn ? 'single runs' : firstRuns}. Dots and bars: ${areAllDrawn ? 'their mean' : 'the mean of all runs'} and, with at least five seeds, its 95 % interval.`,
    },
    metrics.map(panelOf),
    [arms, drawn],
    [...means, ...runs],
    (row) => [
      layerOf('run', tick, { x, ...row, tooltip: seed }),
      layerOf('mean', bar, { x: numbers('low', axis), x2: { field: 'high' }, ...row }),
      layerOf('mean', dot, { x, ...row, tooltip: mean }),
    ],
  )
}

/**
 * Draws the mean difference of each arm from the baseline with its 95 % interval. Null if no arm has a test over at least
 * five seeds.
 * @param drawn the arms that have a colour in the other pictures; the others are grey
 */
export function differencesChart(comparison: Comparison, drawn: readonly Arm[]): Chart | null {
  const { baseline, results } = comparison
  const panelOf = (metric: Metric) => {
    const { title, better } = meaningOf(metric)
    return better === null ? title : `${title} (${better} is better)`
  }
  const compared = finalMetricsOf(comparison.arms)
  const tests = results.flatMap(({ arm, metric, versus }) => {
    if (!compared.includes(metric) || drawsSeeds(arm) || !versus?.interval) return []
    const { difference, interval, correctedP: p } = versus
    const kind = (p ?? 1) < significanceLevel ? 'significant' : 'not significant'
    const row = { kind, [armField]: arm.label, panel: panelOf(metric), difference, ...interval, p: p ?? 1 }
    return [{ arm, metric, row }]
  })
  const arms = drawnOf(comparison, mostRows).filter((arm) => tests.some((test) => test.arm === arm))
  if (arms.length === 0) return null
  const shown = tests.filter(({ arm }) => arms.includes(arm))
  const metrics = compared.filter((metric) => shown.some((test) => test.metric === metric))
  const kept = drawnText(comparison, mostRows)
  const axis = {
    title: null,
    scale: { padding: 8 },
    axis: { tickCount: 3, labelOverlap: 'greedy', labelSeparation: 4 },
  }
  const x = numbers('difference', axis)
  const p = { field: 'p', format: '.3f', title: 'p (Holm)' }
  const tooltip = [...intervalTooltip({ field: 'difference' }, '.6f'), p]
  return rowsChart(
    {
      name: 'differences',
      title: `Difference from ${baseline.label} after the last epoch${kept === null ? '' : `, ${kept}`}`,
      caption: `Dots and bars: the mean difference from ${baseline.label} and its 95 % interval. A filled dot is significant (p < ${significanceLevel}, corrected by Holm over the arms), a ring is not.`,
    },
    metrics.map(panelOf),
    [arms, drawn],
    shown.map(({ row }) => row),
    (row) => [
      { mark: { type: 'rule', strokeDash: [4, 4], color: grey }, encoding: { x: { datum: 0, ...axis } } },
      { mark: bar, encoding: { x: numbers('low', axis), x2: { field: 'high' }, ...row } },
      layerOf('not significant', { ...dot, filled: false, strokeWidth: 2 }, { x, ...row, tooltip }),
      layerOf('significant', { ...dot, strokeWidth: 2 }, { x, ...row, tooltip }),
    ],
  )
}

const bar = { type: 'rule', strokeWidth: 2 }
const dot = { type: 'point', filled: true, size: 60, opacity: 1 }

/**
 * Returns a chart with a panel for each metric and a row for each arm.
 * @param layersOf returns the layers, given the encodings of an arm's row and colour
 */
function rowsChart(
  chart: Omit<Chart, 'panels' | 'spec'>,
  panels: readonly string[],
  [arms, drawn]: readonly [shown: readonly Arm[], drawn: readonly Arm[]],
  rows: readonly Spec[],
  layersOf: (row: Spec) => readonly Spec[],
): Chart {
  const labels = labelsOf(arms)
  const layer = layersOf({
    y: { field: armField, type: 'nominal', sort: labels, axis: { title: null } },
    color: armColorOrGrey(labelsOf(drawn)),
  })
  const widest = Math.max(...labels.map(({ length }) => length))
  return {
    ...chart,
    panels: {
      count: panels.length,
      width: 270,
      height: Math.max(60, (arms.length > 12 ? 14 : 28) * arms.length),
      columns: 2,
      margin: Math.ceil(labelSize.around + labelSize.character * widest),
    },
    spec: {
      data: { values: rows },
      ...panelsBy('panel', panels, { layer }),
      resolve: { scale: { x: 'independent' }, axis: { x: 'independent', y: 'independent' } },
    },
  }
}
