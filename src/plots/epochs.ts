/** The pictures of metrics over the epochs. */
import type { Arm } from '../comparison/comparison.js'
import { columnOf, type EpochValue, epochLine } from '../comparison/series.js'
import { enoughSeeds, type Summary } from '../comparison/statistics.js'
import { latentDimension } from '../model/architecture.js'
import type { WholeRun } from '../runs/read.js'
import type { LossesRow, MetricsRow } from '../runs/tables.js'
import { effectiveRankOf } from '../spectrum/spectrum.js'
import { type Chart, domainAround, epochAxis, spansDecades } from './chart.js'
import { extentOf, type LinePanel, linesChart, mostWithSeeds, type Point, type Series } from './lines.js'

/** Draws the losses that are comparable between arms, which are those without the eigen losses. */
export function lossChart(arms: readonly Arm[]): Chart {
  const panels = [
    { column: 'test_mse', title: 'test images, clean input' },
    { column: 'test_denoise_mse', title: 'test images, noisy input' },
  ] as const
  const series = panels.map(({ column }) => metricSeries(arms, column, 2))
  const extent = extentOf(series.flat())
  const log = spansDecades(extent)
  const y = { title: 'mean squared error per pixel', domain: domainAround(extent, log), log, digits: 5 }
  return linesChart(
    {
      name: 'loss',
      title: 'Loss by epoch',
      caption: `Mean squared error per pixel, measured against the clean image. ${bandText(arms)}`,
    },
    panels.map(({ title }, index) => ({ title, series: series[index]!, ...epochPanel(arms), y })),
    labelsOf(arms),
    { width: 300, height: 240, columns: 2 },
  )
}

export function effectiveRankChart(arms: readonly Arm[]): Chart {
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
        series: arms.map((arm) =>
          seriesOf(arm, arms.length, (run) => [...startOf(run), ...columnOf([run], 'effective_rank')]),
        ),
        ...epochPanel(arms),
        y: {
          title: 'effective rank',
          // A line at 1 or d is drawn in full.
          domain: [1 - 0.02 * (most - 1), most + 0.02 * (most - 1)],
          axis: { values: rankTicks(most), format: 'd', labelOverlap: false },
          digits: 3,
        },
        below: [{ mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.6 }, y: 'rank' }],
        belowRows: ranks.map((rank) => ({ rank })),
      },
    ],
    labelsOf(arms),
    { width: 480, height: 260, columns: 1 },
  )
}

/** Returns 1, d, and round numbers between them that are not too close to d. */
function rankTicks(most: number): readonly number[] {
  if (most <= 10) return Array.from({ length: most }, (_, index) => index + 1)
  const step = [2, 5, 10, 20, 50, 100, 200, 500].find((each) => most / each <= 9) ?? 1000
  const between = Array.from({ length: Math.floor(most / step) }, (_, index) => (index + 1) * step)
  return [1, ...between.filter((tick) => tick > 1 && most - tick > step / 2), most]
}

/** Returns the effective rank before training, which only the spectrum has. */
function startOf({ spectrum }: WholeRun): readonly EpochValue[] {
  const shares = spectrum.filter(({ epoch }) => epoch === 0).map(({ singular_share }) => singular_share)
  return shares.length === 0 ? [] : [{ epoch: 0, value: effectiveRankOf(shares) }]
}

/** Draws the training loss and each of its terms; the weights and the learning rate if they change. */
export function trainingChart(arms: readonly Arm[]): Chart {
  const several = arms.length > 1
  const panelOf = (title: string, series: readonly Series[], ends = several): LinePanel => {
    const extent = extentOf(series)
    const log = spansDecades(extent)
    const y = { title: '', domain: domainAround(extent, log), log, axis: { format: '~g' }, digits: 5 }
    return { title, series, ...epochPanel(arms), ends, y }
  }
  const termsByRun = new Map(arms.flatMap(({ runs }) => runs.map((run) => [run, termsOf(run)] as const)))
  const terms = [...new Set([...termsByRun.values()].flatMap((each) => [...each.keys()]))]
  const weighted = (term: string) => `${term}, weighted`
  /** Returns the means of the arms; the line of a single arm has the name and the colour of a term. */
  const means = (term: string, valuesOf: ValuesOf) =>
    arms
      .map((arm) => {
        const points = pointsOf(arm, arm.runs, valuesOf, mostPoints(4 * arms.length))
        return { label: several ? arm.label : term, points, seeds: [] }
      })
      .filter(({ points }) => points.length > 0)
  const meansOfTerm = (term: string, column: 'weight' | 'value' | 'weighted') =>
    means(weighted(term), (run) =>
      (termsByRun.get(run)!.get(term) ?? []).map((row) => ({ epoch: row.epoch, value: row[column] })),
    )
  const ifChanging = (title: string, series: readonly Series[]) =>
    series.some(({ points }) => new Set(points.map(({ summary }) => summary.mean)).size > 1)
      ? [panelOf(title, series)]
      : []
  const mse = 'mean squared error'
  const panels = [
    several
      ? panelOf('training loss, all terms', metricSeries(arms, 'train_loss', 4))
      : panelOf(
          'training loss and its weighted terms',
          [
            ...means('training loss', metricOfRun('train_loss')),
            ...means(mse, metricOfRun('train_mse')),
            ...terms.flatMap((term) => meansOfTerm(term, 'weighted')),
          ],
          true,
        ),
    panelOf(
      'mean squared error, noisy input',
      metricSeries(arms, 'train_mse', 4).map((each) => (several ? each : { ...each, label: mse })),
    ),
    ...terms.flatMap((term) => [
      panelOf(`${term}, without its weight`, meansOfTerm(term, 'value')),
      ...ifChanging(`weight of ${term}`, meansOfTerm(term, 'weight')),
    ]),
    ...ifChanging('learning rate', means('learning rate', metricOfRun('learning_rate'))),
  ].filter(({ series }) => series.length > 0)
  return linesChart(
    {
      name: 'training',
      title: 'Training loss and its terms',
      caption: `Means over the batches of each epoch, with noisy input${several ? '; the training losses of arms with different terms are not comparable' : ''}. ${bandText(arms)}`,
    },
    panels,
    several ? labelsOf(arms) : [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))],
    { width: 300, height: 190, columns: 2 },
  )
}

type TermRow = Pick<LossesRow, 'epoch' | 'weight' | 'value' | 'weighted'>

/**
 * Returns the rows of a run's eigen losses by names that are the same in all arms: "top-k", and "top-k (2)" for another of the
 * kind. Runs of version 0.2.0 have no losses.csv, and their metrics have the sum as one term, "eigen loss".
 */
function termsOf({ losses, metrics, config }: WholeRun): ReadonlyMap<string, readonly TermRow[]> {
  if (losses.length === 0 && config.loss.eigen !== null) {
    const rows = metrics.map(({ epoch, train_loss, train_mse, train_eigen }) => ({
      epoch,
      weight: Number.NaN,
      value: train_eigen,
      weighted: train_loss - train_mse,
    }))
    return new Map([['eigen loss', rows]])
  }
  const kinds = [...new Map(losses.map(({ term, kind }) => [term, kind]))]
  return new Map(
    kinds.map(([term, kind], place) => {
      const count = kinds.slice(0, place + 1).filter(([, each]) => each === kind).length
      return [count === 1 ? kind : `${kind} (${count})`, losses.filter((row) => row.term === term)]
    }),
  )
}

type ValuesOf = (run: WholeRun) => readonly EpochValue[]

function metricOfRun(column: keyof MetricsRow): ValuesOf {
  return (run) => columnOf([run], column)
}

/** @param panels the number of panels in the picture */
function metricSeries(arms: readonly Arm[], column: keyof MetricsRow, panels: number): readonly Series[] {
  return arms
    .map((arm) => seriesOf(arm, panels * arms.length, metricOfRun(column)))
    .filter(({ points }) => points.length > 0)
}

/**
 * Returns the line of an arm. Few seeds are drawn one by one instead of their interval.
 * @param lines the number of lines in the picture
 */
function seriesOf(arm: Arm, lines: number, valuesOf: ValuesOf): Series {
  const most = mostPoints(lines)
  return {
    label: arm.label,
    points: pointsOf(arm, arm.runs, valuesOf, most),
    seeds: drawsSeeds(arm)
      ? arm.runs.map((run) => pointsOf(arm, [run], valuesOf, Math.ceil(most / arm.runs.length)))
      : [],
  }
}

/** More points than the screen has pixels make a picture slower, not more exact. */
function mostPoints(lines: number): number {
  return Math.min(1000, Math.floor(8000 / lines))
}

/** Returns the means over some runs of an arm by epoch, thinned to `most` points that draw the same line. */
function pointsOf(arm: Arm, runs: readonly WholeRun[], valuesOf: ValuesOf, most: number): readonly Point[] {
  return epochLine(runs.flatMap(valuesOf), most).map(({ epoch, summary }) => ({
    x: epoch,
    summary: withoutWideInterval(arm, summary),
  }))
}

/** Returns the parts of a panel over the epochs. */
function epochPanel(arms: readonly Arm[]) {
  return { x: { field: 'epoch', axis: epochAxis }, markers: hasMarkers(arms), ends: arms.length > 1 }
}

/** Returns whether the lines have a marker for each epoch. Markers of more than 30 epochs would overlap. */
export function hasMarkers(arms: readonly Arm[]): boolean {
  return arms.every(({ runs }) => runs.every(({ metrics }) => metrics.length <= 30))
}

export function labelsOf(arms: readonly Arm[]): readonly string[] {
  return arms.map(({ label }) => label)
}

export function bandText(arms: readonly Arm[]): string {
  if (arms.every(({ runs }) => runs.length === 1)) return 'One seed, so no interval.'
  const few = arms.some(drawsSeeds)
  const thin = few && arms.length <= mostWithSeeds ? ' Thin lines: the single seeds of arms with few.' : ''
  const bands = arms.some(({ runs }) => runs.length >= enoughSeeds) ? '; bands: its 95 % interval' : ''
  return `Lines: mean over the seeds${bands}.${thin}`
}

/** Returns whether an arm's seeds are drawn one by one, because an interval over so few would cover most of the picture. */
export function drawsSeeds({ runs }: Pick<Arm, 'runs'>): boolean {
  return runs.length > 1 && runs.length < enoughSeeds
}

/** Returns a summary without its interval if the arm's seeds are drawn instead. */
export function withoutWideInterval(arm: Arm, summary: Summary): Summary {
  return drawsSeeds(arm) ? { ...summary, interval: null } : summary
}
