import type { Arm } from '../comparison/compare.js'
import { finalSpectrum, spectrumByEpoch } from '../comparison/series.js'
import { armField, type Chart, epochAxis, intervalTooltip, type Panels, type Spec } from './chart.js'

const rankAxis = { title: 'rank', labelAngle: 0 } as const

/** The shares of the singular values after the last epoch, and the line where all would be alike. */
export function spectrumChart(arms: readonly Arm[]): Chart {
  return {
    name: 'spectrum',
    title: 'Spectrum of the embedding',
    caption: `Singular values of the trained encoder's embedding by rank, each as its share of their sum${
      arms.some(({ runs }) => runs.length > 1) ? ' (mean over the seeds, with its 95 % interval)' : ''
    }. The dashed line, 1/d, is where all d dimensions would be used alike.`,
    panels: facetPanels(arms, 200, 180),
    spec: {
      data: { values: arms.flatMap(sharesByRank) },
      facet: facetBy(arms),
      spec: { layer: shareLayers() },
      resolve: { scale: { x: 'independent' }, axis: { x: 'independent', y: 'independent' } },
    },
  }
}

function sharesByRank(arm: Arm): readonly Spec[] {
  const ranks = finalSpectrum(arm)
  return ranks.map(({ rank, summary: { mean, interval } }) => ({
    [armField]: arm.label,
    rank,
    share: mean,
    low: Math.max(0, interval?.low ?? mean),
    high: interval?.high ?? mean,
    uniform: 1 / ranks.length,
  }))
}

/** Bars with their intervals, and the line at 1/d with its name. */
function shareLayers(): readonly Spec[] {
  const x = { field: 'rank', type: 'ordinal', axis: rankAxis }
  const y = { field: 'share', type: 'quantitative', axis: { title: 'share of σ, σ/Σσ', format: '.2f' } }
  const tooltip = intervalTooltip({ field: 'share' }, 4, { field: 'rank' })
  const uniform = { y: { field: 'uniform', type: 'quantitative', aggregate: 'min' } }
  return [
    { mark: { type: 'bar' }, encoding: { x, y, tooltip } },
    { mark: { type: 'rule' }, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } } },
    { mark: { type: 'rule', strokeDash: [5, 4] }, encoding: uniform },
    {
      mark: { type: 'text', text: '1/d', align: 'right', baseline: 'bottom', dy: -2, x: 'width' },
      encoding: uniform,
    },
  ]
}

/** Rank by epoch, the share as the colour: how the dimensions come into use, or die. */
export function evolutionChart(arms: readonly Arm[]): Chart {
  const rows = arms.flatMap((arm) =>
    [...spectrumByEpoch(arm)].flatMap(([epoch, ranks]) =>
      ranks.map(({ rank, summary }) => ({ [armField]: arm.label, epoch, rank, share: summary.mean })),
    ),
  )
  const epochs = new Set(rows.map(({ epoch }) => epoch)).size
  const independent = { x: 'independent', y: 'independent' }
  return {
    name: 'evolution',
    title: 'Spectrum by epoch',
    caption:
      'Share σ/Σσ of each rank after each epoch, mean over the seeds; epoch 0 is before training. Brighter is a larger share.',
    panels: facetPanels(arms, 220, 180),
    spec: {
      data: { values: rows },
      facet: facetBy(arms),
      spec: { mark: { type: 'rect' }, encoding: evolutionEncoding(epochs) },
      resolve: { scale: independent, axis: independent },
    },
  }
}

function evolutionEncoding(epochs: number): Spec {
  const every = Math.ceil(epochs / 12)
  const labelExpr = `datum.value % ${every} ? '' : datum.label`
  return {
    x: { field: 'epoch', type: 'ordinal', axis: { ...epochAxis, labelAngle: 0, labelExpr } },
    y: { field: 'rank', type: 'ordinal', axis: { title: 'rank' } },
    color: {
      field: 'share',
      type: 'quantitative',
      scale: { scheme: 'cividis', domainMin: 0 },
      legend: { title: 'σ/Σσ', format: '.2f', orient: 'bottom' },
    },
    tooltip: [
      { field: armField, title: 'arm' },
      { field: 'epoch' },
      { field: 'rank' },
      { field: 'share', format: '.4f' },
    ],
  }
}

function facetBy(arms: readonly Arm[]): object {
  const title = null
  return { field: armField, type: 'nominal', title, sort: arms.map(({ label }) => label) }
}

function facetPanels(arms: readonly Arm[], width: number, height: number): Panels {
  const count = arms.length
  return { count, width, height, columns: count === 4 ? 2 : Math.min(count, 3), margin: 64 }
}
