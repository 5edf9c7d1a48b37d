/** The pictures of the training itself: the loss with its terms, and the learning rate. */
import type { Arm } from '../comparison/comparison.js'
import { lineIndexes } from '../comparison/series.js'
import { summarise } from '../comparison/statistics.js'
import type { WholeRun } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'
import type { Chart } from './chart.js'
import { domainAround, spansDecades } from './domains.js'
import { bandText, epochPanel, labelsOf, seriesOf, withoutWideInterval } from './epochs.js'
import { extentOf, type LinePanel, linesChart, type Point, type Series } from './lines.js'

const mostPoints = 500

/** Draws the training loss and each of its terms; the weights and the learning rate if they change. */
export function trainingChart(arms: readonly Arm[]): Chart {
  const panels = [
    ...(arms.length === 1
      ? [sumPanel(arms[0]!)]
      : [metricPanel(arms, 'train_loss', 'training loss, all terms')]),
    inColour('mean squared error', metricPanel(arms, 'train_mse', 'mean squared error, noisy input')),
    ...termPanels(arms),
    ...ratePanels(arms),
  ]
  const labels =
    arms.length === 1
      ? [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))]
      : labelsOf(arms)
  return linesChart(
    {
      name: 'training',
      title: 'Training loss and its terms',
      caption: `Means over the batches of each epoch, with noisy input${arms.length === 1 ? '' : '; the training losses of arms with different terms are not comparable'}. ${bandText(arms)}`,
    },
    panels.filter(({ series }) => series.length > 0),
    labels,
    { width: 300, height: 190, columns: 2 },
  )
}

type Part = Pick<LinePanel, 'title' | 'series'>

function panelOf(arms: readonly Arm[], { title, series }: Part, ends: boolean): LinePanel {
  const extent = extentOf(series)
  const log = spansDecades(extent)
  return {
    title,
    series,
    ...epochPanel(arms),
    ends,
    y: { title: '', domain: domainAround(extent, log), log, axis: { format: '~g' }, digits: 5 },
  }
}

function metricPanel(arms: readonly Arm[], column: keyof MetricsRow, title: string): LinePanel {
  const series = arms.map((arm) => seriesOf(arm, column, 4 * arms.length))
  return panelOf(arms, { title, series: series.filter(({ points }) => points.length > 0) }, arms.length > 1)
}

/** Gives a panel of one arm the colour of the term in the panel of the sum. */
function inColour(term: string, panel: LinePanel): LinePanel {
  return panel.series.length === 1 && !panel.ends
    ? { ...panel, series: [{ ...panel.series[0]!, label: term }] }
    : panel
}

function weightedName(term: string): string {
  return `${term}, weighted`
}

/** Draws the sum of one arm with its weighted terms. */
function sumPanel(arm: Arm): LinePanel {
  const named = (label: string, valuesOf: (run: WholeRun) => readonly Value[]): Series => ({
    label,
    points: pointsOf(arm, arm.runs.map(valuesOf)),
    seeds: [],
  })
  const column = (name: keyof MetricsRow) => (run: WholeRun) =>
    run.metrics.map((row) => ({ epoch: row.epoch, value: row[name] }))
  const terms = termNames([arm])
  const weighted =
    terms.length > 0
      ? terms.map((term) => named(weightedName(term), (run) => termValues(run, term, 'weighted')))
      : arm.config.loss.eigen === null
        ? []
        : [
            named(weightedName('eigen loss'), ({ metrics }) =>
              metrics.map((row) => ({ epoch: row.epoch, value: row.train_loss - row.train_mse })),
            ),
          ]
  const series = [
    named('training loss', column('train_loss')),
    named('mean squared error', column('train_mse')),
    ...weighted,
  ]
  return panelOf([arm], { title: 'training loss and its weighted terms', series }, true)
}

interface Value {
  readonly epoch: number
  readonly value: number
}

/** Returns the means over the runs by epoch, thinned to what a picture shows. */
function pointsOf(arm: Arm, runs: readonly (readonly Value[])[]): readonly Point[] {
  const byEpoch = new Map<number, number[]>()
  for (const { epoch, value } of runs.flat()) {
    if (!Number.isFinite(value)) continue
    const values = byEpoch.get(epoch)
    if (values === undefined) byEpoch.set(epoch, [value])
    else values.push(value)
  }
  const points = [...byEpoch]
    .sort(([a], [b]) => a - b)
    .map(([x, values]) => ({ x, summary: withoutWideInterval(arm, summarise(values)) }))
  const kept = lineIndexes(
    points.map(({ summary }) => summary.mean),
    mostPoints,
  )
  return kept.map((index) => points[index]!)
}

/** Returns the names of the terms of some arms, each once. */
function termNames(arms: readonly Arm[]): readonly string[] {
  return [...new Set(arms.flatMap(({ runs }) => runs.flatMap((run) => [...namesOf(run).values()])))]
}

/** Returns the names of a run's terms: "top-k", and "top-k (2)" for another of the kind. The same in all arms. */
function namesOf({ losses }: WholeRun): ReadonlyMap<number, string> {
  const kinds = new Map(losses.map(({ term, kind }) => [term, kind]))
  const counts = new Map<string, number>()
  return new Map(
    [...kinds].map(([term, kind]) => {
      const count = (counts.get(kind) ?? 0) + 1
      counts.set(kind, count)
      return [term, count === 1 ? kind : `${kind} (${count})`]
    }),
  )
}

function termValues(run: WholeRun, name: string, column: 'weight' | 'value' | 'weighted'): readonly Value[] {
  const names = namesOf(run)
  return run.losses
    .filter(({ term }) => names.get(term) === name)
    .map((row) => ({ epoch: row.epoch, value: row[column] }))
}

/** Returns a panel for each term without its weight, and one for its weight if it changes. Older runs have one term. */
function termPanels(arms: readonly Arm[]): readonly LinePanel[] {
  const several = arms.length > 1
  const names = termNames(arms)
  if (names.length === 0) {
    const eigen = arms.filter(({ config }) => config.loss.eigen !== null)
    if (eigen.length === 0) return []
    const panel = metricPanel(eigen, 'train_eigen', 'eigen loss, without its weight')
    return [several ? { ...panel, ends: true } : inColour(weightedName('eigen loss'), panel)]
  }
  return names.flatMap((term) => {
    const seriesBy = (column: 'weight' | 'value') =>
      arms
        .map((arm) => ({
          label: several ? arm.label : weightedName(term),
          points: pointsOf(
            arm,
            arm.runs.map((run) => termValues(run, term, column)),
          ),
          seeds: [],
        }))
        .filter(({ points }) => points.length > 0)
    const weights = seriesBy('weight')
    const changes = weights.some(({ points }) => new Set(points.map(({ summary }) => summary.mean)).size > 1)
    return [
      panelOf(arms, { title: `${term}, without its weight`, series: seriesBy('value') }, several),
      ...(changes ? [panelOf(arms, { title: `weight of ${term}`, series: weights }, several)] : []),
    ]
  })
}

/** Returns the panel of the learning rate, which only newer runs log, if a run changes it. */
function ratePanels(arms: readonly Arm[]): readonly LinePanel[] {
  const series = arms.map((arm) => ({
    label: arms.length > 1 ? arm.label : 'learning rate',
    points: pointsOf(
      arm,
      arm.runs.map(({ metrics }) => metrics.map((row) => ({ epoch: row.epoch, value: row.learning_rate }))),
    ),
    seeds: [],
  }))
  const drawn = series.filter(({ points }) => points.length > 0)
  if (drawn.every(({ points }) => new Set(points.map(({ summary }) => summary.mean)).size < 2)) return []
  return [panelOf(arms, { title: 'learning rate', series: drawn }, arms.length > 1)]
}
