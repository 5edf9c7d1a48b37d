import type { Arm } from '../comparison/compare.js'
import { epochSeries, sampleEvenly } from '../comparison/series.js'
import { dashes } from '../pages/theme.js'
import type { MetricsRow } from '../runs/tables.js'
import { armField, type Chart, epochAxis, intervalTooltip, type Spec } from './chart.js'

/** 'elsewhere' is for the report, which has one legend for all charts. */
export type Legend = 'own' | 'elsewhere'

interface Column {
  readonly column: keyof MetricsRow
  readonly title: string
}

const lossColumns: readonly Column[] = [
  { column: 'test_mse', title: 'test images, clean input' },
  { column: 'test_denoise_mse', title: 'test images, noisy input' },
]

/** Draws the losses that are comparable between arms, which are those without the eigen losses. */
export function lossChart(arms: readonly Arm[], legend: Legend): Chart {
  return {
    name: 'loss',
    title: 'Loss by epoch',
    caption: `Mean squared error per pixel, measured against the clean image. ${bandText(arms)}`,
    panels: { count: 2, width: 330, height: 240, columns: 2, margin: 84 },
    spec: {
      data: { values: rowsOf(arms, lossColumns) },
      facet: { field: 'panel', type: 'nominal', title: null, sort: lossColumns.map(({ title }) => title) },
      spec: layers(arms, 'mean squared error per pixel', legend),
      resolve: { scale: { y: 'independent' }, axis: { x: 'independent' } },
    },
  }
}

export function effectiveRankChart(arms: readonly Arm[], legend: Legend): Chart {
  return {
    name: 'effective-rank',
    title: 'Effective rank by epoch',
    caption: `exp(−Σ p ln p) of the shares p = σ/Σσ: how many dimensions the embedding uses. ${bandText(arms)}`,
    panels: { count: 1, width: 480, height: 260, columns: 1, margin: 70 },
    spec: {
      data: { values: rowsOf(arms, [{ column: 'effective_rank', title: '' }]) },
      ...layers(arms, 'effective rank (dimensions)', legend),
    },
  }
}

function bandText(arms: readonly Arm[]): string {
  const several = arms.some(({ runs }) => runs.length > 1)
  return several ? 'Lines: mean over the seeds; bands: its 95 % interval.' : 'One seed, so no interval.'
}

// More points than the screen has pixels make a picture slower, not more exact.
const mostPoints = { line: 1000, chart: 8000 }
// Invisible points that show the values of a line without markers under the pointer.
const mostHovered = 100

function rowsOf(arms: readonly Arm[], columns: readonly Column[]): readonly object[] {
  const most = Math.min(mostPoints.line, Math.floor(mostPoints.chart / (arms.length * columns.length)))
  return arms.flatMap((arm) =>
    columns.flatMap(({ column, title }) => {
      const series = epochSeries(arm, column, most)
      const hovered = new Set(sampleEvenly(series, mostHovered))
      return series.map((each) => {
        const { mean, interval } = each.summary
        const [low, high] = [interval?.low ?? mean, interval?.high ?? mean]
        const position = { [armField]: arm.label, panel: title, epoch: each.epoch }
        return { ...position, mean, low, high, hovered: hovered.has(each) }
      })
    }),
  )
}

/** Returns whether the lines have a marker for each epoch. Markers of more than 30 epochs would overlap. */
export function hasMarkers(arms: readonly Arm[]): boolean {
  return arms.every(({ runs }) => runs.every(({ metrics }) => metrics.length <= 30))
}

/** Returns the layers of lines, markers and bands. */
function layers(arms: readonly Arm[], title: string, where: Legend): Spec {
  const labels = arms.map(({ label }) => label)
  const markers = hasMarkers(arms)
  const scale = { domain: labels }
  const legend = where === 'elsewhere' ? null : legendOf(labels, markers)
  const color = { field: armField, type: 'nominal', scale, legend }
  const dash = { field: armField, type: 'nominal', scale: { ...scale, range: dashes }, legend }
  const shape = { field: armField, type: 'nominal', scale, legend }
  const y = { type: 'quantitative', title, scale: { zero: false } }
  const tooltip = intervalTooltip({ field: 'mean' }, 5, { field: 'epoch' })
  const points = markers
    ? { mark: { type: 'point', filled: true, size: 45, opacity: 1 }, shape }
    : { mark: { type: 'point', filled: true, size: 45, opacity: 0 }, shape: { value: 'circle' } }
  return {
    encoding: {
      x: { field: 'epoch', type: 'quantitative', axis: epochAxis, scale: { nice: false, padding: 8 } },
    },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 2, clip: false },
        encoding: { y: { ...y, field: 'mean' }, color, strokeDash: dash },
      },
      ...(markers || where === 'elsewhere'
        ? [
            {
              mark: points.mark,
              transform: [{ filter: 'datum.hovered' }],
              encoding: { y: { ...y, field: 'mean' }, color, shape: points.shape, tooltip },
            },
          ]
        : []),
      {
        mark: { type: 'area', opacity: 0.18 },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
    ],
  }
}

/** Returns a legend with the lines' markers or, if they have none, with pieces of the lines. */
function legendOf(labels: readonly string[], markers: boolean): Spec {
  const symbol = markers
    ? { symbolStrokeWidth: 0 }
    : { symbolType: 'stroke', symbolSize: 700, symbolStrokeWidth: 2, symbolOpacity: 1, rowPadding: -8 }
  return { orient: 'bottom', columns: longest(labels) > 40 ? 1 : 2, title: null, ...symbol }
}

function longest(labels: readonly string[]): number {
  return Math.max(...labels.map((label) => label.length))
}
