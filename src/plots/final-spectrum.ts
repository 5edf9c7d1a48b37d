/** The pictures of the spectrum after the last epoch: bars for one arm, lines over the rank for several. */
import type { Arm } from '../comparison/comparison.js'
import { finalSpectrum, rangeText } from '../comparison/series.js'
import { summarise } from '../comparison/statistics.js'
import { latentDimension } from '../model/architecture.js'
import {
  armColorEncoding,
  armField,
  type Chart,
  domainAround,
  intervalTooltip,
  logAxis,
  numbers,
  rankAxis,
  rowMargin,
} from './chart.js'
import { bandText, drawsSeeds, labelsOf, withoutWideInterval } from './epochs.js'
import { extentOf, linesChart, type Series } from './lines.js'

// The width of a panel in pixels.
const mostSpans = 200

export function spectrumChart(arms: readonly Arm[]): Chart {
  return arms.length === 1 ? barChart(arms[0]!) : lineChart(arms)
}

const chart = { name: 'spectrum', title: 'Spectrum of the embedding' } as const
const meaning = "Singular values of the trained encoder's embedding by rank, each as its share of their sum"
const uniformText = '1/d: equal use of all d dimensions'

/** Draws the shares of the singular values of one arm with their intervals, and the line where all would be equal. */
function barChart(arm: Arm): Chart {
  const shares = finalSpectrum(arm, mostSpans)
  const dimensions = shares.at(-1)?.ranks.last ?? 1
  const rows = shares.map(({ ranks, summary: { mean, interval } }) => ({
    [armField]: arm.label,
    rank: rangeText(ranks),
    rankMiddle: (ranks.first + ranks.last) / 2,
    rankFrom: ranks.first - barHalf,
    rankTo: ranks.last + barHalf,
    share: mean,
    low: Math.max(0, interval?.low ?? mean),
    high: interval?.high ?? mean,
    uniform: 1 / dimensions,
  }))
  const { tickCount: _, ...labelled } = rankAxis
  const ranks = Array.from({ length: dimensions }, (_, index) => index + 1)
  const xAxis = {
    axis: dimensions <= 16 ? { ...labelled, values: ranks } : rankAxis,
    scale: { nice: false, zero: false, padding: 4 },
  }
  const y = { title: 'share of σ, σ/Σσ', format: '~g' }
  const uniform = { y: numbers('uniform', { aggregate: 'min' }) }
  const bar = {
    x: numbers('rankFrom', xAxis),
    x2: { field: 'rankTo' },
    y: numbers('share', { axis: y, scale: { zero: true } }),
    y2: { datum: 0 },
    color: armColorEncoding([arm.label]),
    tooltip: intervalTooltip({ field: 'share' }, '.4f', { field: 'rank' }),
  }
  const interval = { x: numbers('rankMiddle', xAxis), y: numbers('low', { axis: y }), y2: { field: 'high' } }
  const text = {
    type: 'text',
    text: `1/${dimensions}`,
    align: 'right',
    baseline: 'bottom',
    dy: -2,
    x: 'width',
  }
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
      data: { values: rows },
      layer: [
        { mark: { type: 'rect', ariaRoleDescription: 'bar' }, encoding: bar },
        { mark: { type: 'rule' }, encoding: interval },
        { mark: { type: 'rule', strokeDash: [5, 4] }, encoding: uniform },
        { mark: text, encoding: uniform },
      ],
    },
  }
}

const barHalf = 0.4

// Singular values that are 0 to rounding have shares of 1e-8 and less, which would hide the others' differences.
const smallestShare = 1e-5

/** Draws the arms as lines over the rank, on a linear and on a logarithmic axis. */
function lineChart(arms: readonly Arm[]): Chart {
  const series = arms.map(shareSeries)
  const dimensions = [...new Set(arms.map(({ config }) => latentDimension(config.model)))]
  const extent = [...extentOf(series), ...dimensions.map((d) => 1 / d)]
  const clipped = extent.some((share) => share < smallestShare)
  const shown = extent.map((share) => Math.max(share, smallestShare))
  const logDomain = domainAround(shown, true)
  const y = { title: 'share of σ, σ/Σσ', digits: 5 }
  const panel = {
    series,
    markers: Math.max(...dimensions) <= 16,
    ends: true,
    x: { field: 'rank', axis: rankAxis },
    below: [
      {
        mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.6 },
        x: 'rank',
        y: 'uniform',
        encoding: { x2: { field: 'last' } },
      },
      {
        mark: { type: 'text', align: 'right', baseline: 'bottom', dx: 4, dy: -2 },
        x: 'last',
        y: 'uniform',
        encoding: { text: { field: 'text' } },
      },
    ],
    belowRows: dimensions.map((d) => ({ rank: 1, last: d, uniform: 1 / d, text: `1/${d}` })),
  }
  return linesChart(
    {
      ...chart,
      caption: `${meaning} on a linear and on a logarithmic axis${
        clipped ? ', which draws shares below 10⁻⁵ at its lower end' : ''
      }. The dashed line is at ${uniformText}. ${bandText(arms)}`,
    },
    [
      { title: 'linear', ...panel, y: { ...y, domain: [0, domainAround(extent)[1]] } },
      { title: 'logarithmic', ...panel, y: { ...y, domain: logDomain, log: true, axis: logAxis(logDomain) } },
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
