/** The pictures of the spectrum after the last epoch: bars for one arm, lines over the rank for several. */
import type { Arm } from '../comparison/comparison.js'
import { finalSpectrum, type RankSummary, spanText } from '../comparison/series.js'
import { summarise } from '../comparison/statistics.js'
import { latentDimension } from '../model/architecture.js'
import { armColors, armField, type Chart, intervalTooltip, rowMargin, type Spec } from './chart.js'
import { type Domain, domainAround, logAxis } from './domains.js'
import { bandText, drawsSeeds, labelsOf, withoutWideInterval } from './epochs.js'
import { extentOf, type LinePanel, linesChart, type Series } from './lines.js'

export const rankAxis = { title: 'rank', tickMinStep: 1, tickCount: 8, format: 'd', grid: false } as const

// The width of a panel in pixels.
const mostSpans = 200

export function spectrumChart(arms: readonly Arm[]): Chart {
  return arms.length === 1 ? barChart(arms[0]!) : lineChart(arms)
}

const chart = { name: 'spectrum', title: 'Spectrum of the embedding' } as const
const meaning = "Singular values of the trained encoder's embedding by rank, each as its share of their sum"
const uniformText = '1/d: equal use of all d dimensions'

/** Draws the shares of the singular values of one arm, and the line where all shares would be equal. */
function barChart(arm: Arm): Chart {
  const shares = finalSpectrum(arm, mostSpans)
  const dimensions = shares.at(-1)?.ranks.last ?? 1
  return {
    ...chart,
    caption: `${meaning}${arm.runs.length > 1 ? ' (mean over the seeds, with its 95 % interval)' : ''}. The dashed line is at ${uniformText}.`,
    panels: {
      count: 1,
      width: Math.max(200, Math.min(560, 36 * dimensions)),
      height: 240,
      columns: 1,
      margin: rowMargin,
    },
    spec: {
      data: { values: shares.map((each) => barRow(arm, each, dimensions)) },
      layer: barLayers(arm.label, dimensions),
    },
  }
}

function barRow(arm: Arm, { ranks, summary: { mean, interval } }: RankSummary, dimensions: number): Spec {
  return {
    [armField]: arm.label,
    rank: spanText(ranks),
    rankMiddle: (ranks.first + ranks.last) / 2,
    rankFrom: ranks.first - barHalf,
    rankTo: ranks.last + barHalf,
    share: mean,
    low: Math.max(0, interval?.low ?? mean),
    high: interval?.high ?? mean,
    uniform: 1 / dimensions,
  }
}

const barHalf = 0.4

/** Returns the layers: bars with their intervals, and the labelled line at 1/d. */
function barLayers(label: string, dimensions: number): readonly Spec[] {
  const scale = { nice: false, zero: false, padding: 4 }
  const { tickCount: _, ...labelled } = rankAxis
  const axis = dimensions <= 16 ? { ...labelled, values: wholeNumbers(dimensions) } : rankAxis
  const x = { field: 'rankFrom', type: 'quantitative', axis, scale }
  const y = { field: 'share', type: 'quantitative', axis: { title: 'share of σ, σ/Σσ', format: '~g' } }
  const tooltip = intervalTooltip({ field: 'share' }, 4, { field: 'rank' })
  const uniform = { y: { field: 'uniform', type: 'quantitative', aggregate: 'min' } }
  return [
    {
      mark: { type: 'rect', ariaRoleDescription: 'bar' },
      encoding: {
        x,
        x2: { field: 'rankTo' },
        y: { ...y, scale: { zero: true } },
        y2: { datum: 0 },
        color: armColors([label]),
        tooltip,
      },
    },
    {
      mark: { type: 'rule' },
      encoding: { x: { ...x, field: 'rankMiddle' }, y: { ...y, field: 'low' }, y2: { field: 'high' } },
    },
    { mark: { type: 'rule', strokeDash: [5, 4] }, encoding: uniform },
    {
      mark: { type: 'text', text: `1/${dimensions}`, align: 'right', baseline: 'bottom', dy: -2, x: 'width' },
      encoding: uniform,
    },
  ]
}

// Singular values that are 0 to rounding have shares of 1e-8 and less, which would hide the others' differences.
const smallestShare = 1e-5

/** Draws the arms as lines over the rank, on a linear and on a logarithmic axis. */
function lineChart(arms: readonly Arm[]): Chart {
  const series = arms.map(shareSeries)
  const dimensions = [...new Set(arms.map(({ config }) => latentDimension(config.model)))]
  const extent = [...extentOf(series), ...dimensions.map((d) => 1 / d)]
  const clipped = extent.some((share) => share < smallestShare)
  const shown = extent.map((share) => Math.max(share, smallestShare))
  const panel = (title: string, domain: Domain, log: boolean): LinePanel => ({
    title,
    series,
    markers: Math.max(...dimensions) <= 16,
    ends: true,
    x: { field: 'rank', axis: rankAxis },
    y: {
      title: 'share of σ, σ/Σσ',
      domain,
      log,
      ...(log && { axis: logAxis(domain) }),
      digits: 5,
    },
    below: [
      {
        mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.6 },
        encoding: {
          x: { field: 'rank', type: 'quantitative' },
          x2: { field: 'last' },
          y: { field: 'uniform', type: 'quantitative' },
        },
      },
      {
        mark: { type: 'text', align: 'right', baseline: 'bottom', dx: 4, dy: -2 },
        encoding: {
          x: { field: 'last', type: 'quantitative' },
          y: { field: 'uniform', type: 'quantitative' },
          text: { field: 'text' },
        },
      },
    ],
    belowRows: dimensions.map((d) => ({ rank: 1, last: d, uniform: 1 / d, text: `1/${d}` })),
  })
  return linesChart(
    {
      ...chart,
      caption: `${meaning}; on the right the same on a logarithmic axis${
        clipped ? ', at whose lower end shares below 10⁻⁵ are drawn' : ''
      }. The dashed line is at ${uniformText}. ${bandText(arms)}`,
    },
    [
      panel('linear', [0, domainAround(extent)[1]], false),
      panel('logarithmic', domainAround(shown, true), true),
    ],
    labelsOf(arms),
    { width: 270, height: 240, columns: 2 },
  )
}

function shareSeries(arm: Arm): Series {
  const pointsOf = (each: Pick<Arm, 'runs'>) =>
    finalSpectrum({ ...arm, ...each }, mostSpans).map(({ ranks, summary }) => ({
      x: (ranks.first + ranks.last) / 2,
      summary: withoutWideInterval(arm, summary.n === 0 ? summarise([0]) : summary),
    }))
  return {
    label: arm.label,
    points: pointsOf(arm),
    seeds: drawsSeeds(arm) ? arm.runs.map((run) => pointsOf({ runs: [run] })) : [],
  }
}

function wholeNumbers(most: number): readonly number[] {
  return Array.from({ length: most }, (_, index) => index + 1)
}
