/** The pictures of metrics over the epochs. */
import type { Arm } from '../comparison/comparison.js'
import { epochSeries } from '../comparison/series.js'
import { type Summary, summarise } from '../comparison/statistics.js'
import { latentDimension } from '../model/architecture.js'
import type { WholeRun } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'
import { effectiveRankOf } from '../spectrum/spectrum.js'
import { type Chart, epochAxis } from './chart.js'
import { domainAround, spansDecades } from './domains.js'
import { extentOf, linesChart, mostWithSeeds, type Point, type Series } from './lines.js'

interface Column {
  readonly column: keyof MetricsRow
  readonly title: string
}

const lossColumns: readonly Column[] = [
  { column: 'test_mse', title: 'test images, clean input' },
  { column: 'test_denoise_mse', title: 'test images, noisy input' },
]

/** Draws the losses that are comparable between arms, which are those without the eigen losses. */
export function lossChart(arms: readonly Arm[]): Chart {
  const panels = lossColumns.map(({ column, title }) => ({
    title,
    series: arms.map((arm) => seriesOf(arm, column, lossColumns.length * arms.length)),
  }))
  const extent = panels.flatMap(({ series }) => extentOf(series))
  const log = spansDecades(extent)
  const y = { title: 'mean squared error per pixel', domain: domainAround(extent, log), log, digits: 5 }
  return linesChart(
    {
      name: 'loss',
      title: 'Loss by epoch',
      caption: `Mean squared error per pixel, measured against the clean image. ${bandText(arms)}`,
    },
    panels.map((panel) => ({ ...panel, ...epochPanel(arms), y })),
    labelsOf(arms),
    { width: 300, height: 240, columns: 2 },
  )
}

export function effectiveRankChart(arms: readonly Arm[]): Chart {
  const series = arms.map((arm) => {
    const logged = seriesOf(arm, 'effective_rank', arms.length)
    const start = startOf(arm.runs).map(({ x, summary }) => ({
      x,
      summary: withoutWideInterval(arm, summary),
    }))
    return {
      ...logged,
      points: [...start, ...logged.points],
      seeds: logged.seeds.map((points, run) => [...startOf([arm.runs[run]!]), ...points]),
    }
  })
  const dimensions = arms.map(({ config }) => latentDimension(config.model))
  const most = Math.max(...dimensions)
  const ranks = [...new Set(dimensions)]
  return linesChart(
    {
      name: 'effective-rank',
      title: 'Effective rank by epoch',
      caption: `exp(−Σ p ln p) of the shares p = σ/Σσ: how many of the d dimensions the embedding uses, from 1 to d (dashed). Epoch 0 is before training. ${bandText(arms)}`,
    },
    [
      {
        title: `effective rank of ${ranks.length === 1 ? `${most} dimensions` : 'the embedding'}`,
        series,
        ...epochPanel(arms),
        y: {
          title: 'effective rank',
          // A line at 1 or d is drawn in full.
          domain: [1 - 0.02 * (most - 1), most + 0.02 * (most - 1)],
          axis: { values: rankTicks(most), format: 'd', labelOverlap: false },
          digits: 3,
        },
        below: [{ mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.6 }, encoding: { y: rankPosition } }],
        belowRows: ranks.map((rank) => ({ rank })),
      },
    ],
    labelsOf(arms),
    { width: 480, height: 260, columns: 1 },
  )
}

const rankPosition = { field: 'rank', type: 'quantitative' }

/** Returns 1, d, and round numbers between them that are not too close to d. */
function rankTicks(most: number): readonly number[] {
  if (most <= 10) return Array.from({ length: most }, (_, index) => index + 1)
  const step = [2, 5, 10, 20, 50, 100, 200, 500].find((each) => most / each <= 9) ?? 1000
  const between = Array.from({ length: Math.floor(most / step) }, (_, index) => (index + 1) * step)
  return [1, ...between.filter((tick) => tick > 1 && most - tick > step / 2), most]
}

/** Returns the effective rank before training, which only the spectrum has. */
function startOf(runs: readonly WholeRun[]): readonly Point[] {
  const values = runs.flatMap(({ spectrum }) => {
    const shares = spectrum.filter(({ epoch }) => epoch === 0).map(({ singular_share }) => singular_share)
    return shares.length === 0 ? [] : [effectiveRankOf(shares)]
  })
  return values.length === 0 ? [] : [{ x: 0, summary: summarise(values) }]
}

/** Returns the parts of a panel over the epochs. */
export function epochPanel(arms: readonly Arm[]) {
  return { x: { field: 'epoch', axis: epochAxis }, markers: hasMarkers(arms), ends: arms.length > 1 }
}

export function labelsOf(arms: readonly Arm[]): readonly string[] {
  return arms.map(({ label }) => label)
}

export function bandText(arms: readonly Arm[]): string {
  const most = Math.max(...arms.map(({ runs }) => runs.length))
  if (most === 1) return 'One seed, so no interval.'
  const few = arms.some(drawsSeeds)
  const thin = few && arms.length <= mostWithSeeds ? ' Thin lines: the single seeds of arms with few.' : ''
  const bands = arms.some(({ runs }) => runs.length >= enoughSeeds) ? '; bands: its 95 % interval' : ''
  return `Lines: mean over the seeds${bands}.${thin}`
}

/** With fewer seeds, an interval covers most of the picture. */
const enoughSeeds = 5

export function drawsSeeds({ runs }: Pick<Arm, 'runs'>): boolean {
  return runs.length > 1 && runs.length < enoughSeeds
}

/** Returns a summary without its interval if the arm's seeds are drawn instead. */
export function withoutWideInterval(arm: Arm, summary: Summary): Summary {
  return drawsSeeds(arm) ? { ...summary, interval: null } : summary
}

// More points than the screen has pixels make a picture slower, not more exact.
const mostPoints = { line: 1000, chart: 8000 }

/**
 * Returns the line of an arm. Few seeds are drawn one by one instead of their interval.
 * @param lines the number of lines in the picture
 */
export function seriesOf(arm: Arm, column: keyof MetricsRow, lines: number): Series {
  const most = Math.min(mostPoints.line, Math.floor(mostPoints.chart / lines))
  const pointsOf = (each: Pick<Arm, 'runs'>, limit: number) =>
    epochSeries({ ...arm, ...each }, column, limit)
      .filter(({ summary }) => Number.isFinite(summary.mean))
      .map(({ epoch, summary }) => ({ x: epoch, summary: withoutWideInterval(arm, summary) }))
  return {
    label: arm.label,
    points: pointsOf(arm, most),
    seeds: drawsSeeds(arm)
      ? arm.runs.map((run) => pointsOf({ runs: [run] }, Math.ceil(most / arm.runs.length)))
      : [],
  }
}

/** Returns whether the lines have a marker for each epoch. Markers of more than 30 epochs would overlap. */
export function hasMarkers(arms: readonly Arm[]): boolean {
  return arms.every(({ runs }) => runs.every(({ metrics }) => metrics.length <= 30))
}
