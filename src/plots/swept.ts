/** The pictures of a grid: metrics against the values of a setting, and a map of two settings. */
import type { Arm, Comparison, Result } from '../comparison/comparison.js'
import { summarise } from '../comparison/statistics.js'
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import {
  apart,
  armField,
  bestColor,
  type Chart,
  domainAround,
  intervalTooltip,
  numbers,
  panelTitle,
  type Spec,
  withoutOutliers,
} from './chart.js'
import { keepBest } from './drawn.js'
import { drawsSeeds, withoutWideInterval } from './epochs.js'
import { errorMetric, finalMetricsOf, rankMetric, resultsByArm } from './final-values.js'
import { extentOf, type LinePanel, linesChart, type Series } from './lines.js'
import {
  encodingOf,
  type Family,
  familiesAlong,
  positionOn,
  type SettingAxis,
  type Settings,
} from './settings.js'

// More values have round numbers as ticks.
const mostTicks = 12

/** More lines could not be distinguished. */
const mostFamilies = 12

/** Draws metrics against the values of the setting with the most values, a line for each arm or other setting. */
export function sweptChart(comparison: Comparison, settings: Settings): Chart | null {
  const { arms: all, results } = comparison
  const { grid, members } = settings
  const [axis] = grid
  if (axis === undefined) return null
  const families = familiesAlong([axis], settings)
  const drawn = keepBest(families, mostFamilies, comparison, armsOf)
  const references = members.filter(({ values }) => !values.has(axis.path))
  const panelOf = (metric: Metric): LinePanel => {
    const { title, better } = meaningOf(metric)
    const known = resultsByArm(results, metric)
    const series = drawn.map((family) => sweptSeries(axis, family, metric, known))
    const lines = references.flatMap(({ arm }) => {
      const result = known.get(arm.name)
      return result === undefined ? [] : [{ name: arm.label, reference: result.summary.mean }]
    })
    const lone = lines.map(({ reference }) => reference)
    const means = [...series.flatMap(({ points }) => points.map(({ summary }) => summary.mean)), ...lone]
    return {
      title,
      series,
      markers: true,
      ends: drawn.length > 1,
      bars: true,
      ringed: better === null ? undefined : bestOf(means, metric),
      x: { field: axis.path.replaceAll('.', '_'), title: axis.path, ...encodingOf(axis, mostTicks) },
      y: { title: '', domain: domainAround([...extentOf(series), ...lone]), digits: 5 },
      below: [
        { mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.7 }, y: 'reference' },
        { mark: lineText, y: 'reference', encoding: { text: { field: 'name' } } },
      ],
      belowRows: lines,
    }
  }
  const arms = families.flatMap(armsOf)
  const intervals = arms.some(drawsSeeds)
    ? ' and single seeds as short lines'
    : ' with its 95 % interval over the seeds'
  return linesChart(
    {
      name: 'swept',
      title: `Metrics by ${axis.path}${families.length > drawn.length ? `, the best ${drawn.length} of ${families.length} lines` : ''}`,
      caption: `Mean after the last epoch${arms.every(({ runs }) => runs.length === 1) ? '' : intervals}, against ${axis.path}. A ring marks the best mean${references.length > 0 ? '; dashed lines are arms without this setting' : ''}.`,
    },
    [errorMetric(all), ...finalMetricsOf(all).slice(1)]
      .filter((metric) => resultsByArm(results, metric).size > 0)
      .map(panelOf),
    drawn.map(({ name }) => name),
    { width: 300, height: 180, columns: 2 },
  )
}

function armsOf({ members }: Family): readonly Arm[] {
  return members.map(({ arm }) => arm)
}

const lineText = { type: 'text', align: 'left', baseline: 'bottom', dx: 2, dy: -2, x: 0 }

function bestOf(means: readonly number[], metric: Metric): number {
  return meaningOf(metric).better === 'lower' ? Math.min(...means) : Math.max(...means)
}

function sweptSeries(
  axis: SettingAxis,
  { name, members }: Family,
  metric: Metric,
  results: ReadonlyMap<string, Result>,
): Series {
  const places = members
    .flatMap(({ arm, values }) => {
      const summary = results.get(arm.name)?.summary
      const value = values.get(axis.path)
      if (summary === undefined || typeof value !== 'number') return []
      const isolated = axis.log && value === 0
      return [{ arm, summary, place: { x: positionOn(axis, value), text: String(value), isolated } }]
    })
    .sort((a, b) => a.place.x - b.place.x)
  return {
    label: name,
    points: places.map(({ arm, place, summary }) => ({
      ...place,
      summary: withoutWideInterval(arm, summary),
    })),
    seeds: places
      .filter(({ arm }) => drawsSeeds(arm))
      .map(({ arm, place }) =>
        arm.runs.flatMap((run) => {
          const value = metricOf(run, metric)
          return value === null ? [] : [{ ...place, summary: summarise([value]) }]
        }),
      ),
  }
}

// Cells with texts; more cells have colours alone.
const mostTexts = 160
const mostMaps = 6

/** Draws two metrics as colours over the values of two settings; null if no two settings were swept. */
export function heatMapChart(comparison: Comparison, settings: Settings): Chart | null {
  const { arms, results } = comparison
  const [across, down] = settings.grid
  if (across === undefined || down === undefined) return null
  const mapMetrics: readonly Metric[] = [errorMetric(arms), rankMetric(arms)]
  const families = familiesAlong([across, down], settings)
  const drawn = keepBest(families, mostMaps, comparison, armsOf)
  const columns = mapMetrics
    .map((metric) => ({ metric, known: resultsByArm(results, metric) }))
    .filter(({ known }) => known.size > 0)
    .map(({ metric, known }, column, { length }) => {
      const { title, better, format } = meaningOf(metric)
      const cells = drawn.flatMap(({ members }, row) =>
        members.flatMap(({ arm, values }) => {
          const summary = known.get(arm.name)?.summary
          if (summary === undefined) return []
          const place = { across: values.get(across.path), down: values.get(down.path) }
          const panel = row * length + column
          return [{ [armField]: arm.label, panel, ...place, mean: summary.mean, ...summary.interval }]
        }),
      )
      const means = cells.map(({ mean }) => mean)
      const best = bestOf(means, metric)
      const domain = withoutOutliers(means, 1.5)
      const middle = (domain[0] + domain[1]) / 2
      const rows = cells.map((cell) => ({
        ...cell,
        text: format(cell.mean).replace(/^0\./, '.'),
        bright: better === 'lower' ? cell.mean < middle : cell.mean > middle,
        best: cell.mean === best,
      }))
      const views = drawn.map(({ name }, row) => ({
        title: panelTitle([title, ...(name === '' ? [] : [name])].join(': ')),
        transform: [{ filter: `datum.panel === ${row * length + column}` }],
        layer: mapLayers(across, down, { domain, reverse: better === 'lower' }, row === 0 ? mapLegend : null),
      }))
      return { rows, views }
    })
  const maps = drawn.flatMap((_, row) => columns.map(({ views }) => views[row]!))
  return {
    name: 'heat-map',
    title: `${across.path} and ${down.path}`,
    caption: `Mean after the last epoch for each combination of ${across.path} and ${down.path}${families.length > drawn.length ? `, in the best ${drawn.length} of ${families.length} rows` : ''}. Brighter is better, the best of all cells has a frame, and values far outside the others have the colour at that end of the scale.`,
    panels: {
      count: maps.length,
      width: Math.max(160, Math.min(480, 48 * across.values.length)),
      height: Math.max(120, Math.min(400, 28 * down.values.length)),
      columns: columns.length,
      margin: 150,
    },
    spec: {
      data: { values: columns.flatMap(({ rows }) => rows) },
      concat: maps,
      resolve: { scale: { color: 'independent' } },
    },
  }
}

// Beside the first panel of a metric, for all of them.
const mapLegend = { title: null, gradientThickness: 10, gradientLength: 110, tickCount: 4 }

/** @param scale the ends of the colours, and whether lower values are brighter */
function mapLayers(
  across: SettingAxis,
  down: SettingAxis,
  scale: Spec,
  legend: Spec | null,
): readonly Spec[] {
  const axisOf = (title: string) => ({
    ...{ title, labelAngle: 0, domain: false, ticks: false, grid: false },
    ...apart,
  })
  const x = { field: 'across', type: 'ordinal', sort: across.values, axis: axisOf(across.path) }
  const y = { field: 'down', type: 'ordinal', sort: [...down.values].reverse(), axis: axisOf(down.path) }
  const colors = { range: 'ramp', nice: false, zero: false, clamp: true, ...scale }
  const color = numbers('mean', { scale: colors, legend })
  const position = [
    { field: 'across', title: across.path },
    { field: 'down', title: down.path },
  ]
  const tooltip = intervalTooltip({ field: 'mean' }, '.5f', ...position)
  const frame = { type: 'rect', filled: false, stroke: bestColor, strokeWidth: 3 }
  const ink = { condition: { test: 'datum.bright', value: '#1b1b1b' }, value: '#ffffff' }
  const text = { x, y, text: { field: 'text' }, color: ink }
  return [
    { mark: { type: 'rect' }, encoding: { x, y, color, tooltip } },
    { transform: [{ filter: 'datum.best' }], mark: frame, encoding: { x, y } },
    ...(across.values.length * down.values.length <= mostTexts
      ? [{ mark: { type: 'text', fontSize: 11 }, encoding: text }]
      : []),
  ]
}
