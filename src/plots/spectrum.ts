import type { Arm } from '../comparison/compare.js'
import { finalSpectrum, type Span, type SpectrumCell, spanText, spectrumCells } from '../comparison/series.js'
import { armField, type Chart, epochAxis, intervalTooltip, type Panels, type Spec } from './chart.js'

const rankAxis = { title: 'rank', tickMinStep: 1, tickCount: 8, format: 'd', grid: false } as const

// The width of a panel in pixels.
const mostBars = 200

/** Draws the shares of the singular values after the last epoch, and the line where all shares would be equal. */
export function spectrumChart(arms: readonly Arm[]): Chart {
  return {
    name: 'spectrum',
    title: 'Spectrum of the embedding',
    caption: `Singular values of the trained encoder's embedding by rank, each as its share of their sum${
      arms.some(({ runs }) => runs.length > 1) ? ' (mean over the seeds, with its 95 % interval)' : ''
    }. The dashed line at 1/d marks equal use of all d dimensions.`,
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
  const shares = finalSpectrum(arm, mostBars)
  const dimensions = shares.at(-1)?.ranks.last ?? 1
  return shares.map(({ ranks, summary: { mean, interval } }) => ({
    [armField]: arm.label,
    ...extent(ranks, 'rank', 0.45),
    share: mean,
    low: Math.max(0, interval?.low ?? mean),
    high: interval?.high ?? mean,
    uniform: 1 / dimensions,
  }))
}

/** Returns the fields of a span: its text, its middle, and its edges `half` a step beyond the first and the last number. */
function extent(span: Span, name: 'epoch' | 'rank', half: number): Spec {
  return {
    [name]: spanText(span),
    [`${name}Middle`]: (span.first + span.last) / 2,
    [`${name}From`]: span.first - half,
    [`${name}To`]: span.last + half,
  }
}

/** Returns the layers: bars with their intervals, and the labelled line at 1/d. */
function shareLayers(): readonly Spec[] {
  const scale = { nice: false, zero: false, padding: 4 }
  const x = { field: 'rankFrom', type: 'quantitative', axis: rankAxis, scale }
  const y = { field: 'share', type: 'quantitative', axis: { title: 'share of σ, σ/Σσ', format: '~g' } }
  const tooltip = intervalTooltip({ field: 'share' }, 4, { field: 'rank' })
  const uniform = { y: { field: 'uniform', type: 'quantitative', aggregate: 'min' } }
  return [
    {
      mark: { type: 'rect', ariaRoleDescription: 'bar' },
      encoding: { x, x2: { field: 'rankTo' }, y: { ...y, scale: { zero: true } }, y2: { datum: 0 }, tooltip },
    },
    {
      mark: { type: 'rule' },
      encoding: { x: { ...x, field: 'rankMiddle' }, y: { ...y, field: 'low' }, y2: { field: 'high' } },
    },
    { mark: { type: 'rule', strokeDash: [5, 4] }, encoding: uniform },
    {
      mark: { type: 'text', text: '1/d', align: 'right', baseline: 'bottom', dy: -2, x: 'width' },
      encoding: uniform,
    },
  ]
}

// Limits for a panel of 220 × 180 pixels, and for the cells of all arms in one picture.
const mostCells = { columns: 200, rows: 64, chart: 20_000 }
const fewestColumns = 24

/** Draws the share of each rank by epoch as a colour, which shows when dimensions come into use or die. */
export function evolutionChart(arms: readonly Arm[]): Chart {
  const { columns, rows, chart } = mostCells
  const fitting = Math.max(fewestColumns, Math.floor(chart / (arms.length * rows)))
  const cells = arms.map((arm) => spectrumCells(arm, Math.min(columns, fitting), rows))
  const independent = { x: 'independent', y: 'independent' }
  return {
    name: 'evolution',
    title: 'Spectrum by epoch',
    caption: `Share σ/Σσ of each rank after each epoch, mean over the seeds; epoch 0 is before training. Brighter is a larger share.${
      cells.flat().some(isMerged) ? ' A cell is the mean of several epochs or ranks.' : ''
    }`,
    panels: facetPanels(arms, 220, 180),
    spec: {
      data: { values: arms.flatMap((arm, index) => cellRows(arm, cells[index]!)) },
      facet: facetBy(arms),
      spec: { mark: cellMark, encoding: evolutionEncoding() },
      resolve: { scale: independent, axis: independent },
    },
  }
}

function isMerged({ epochs, ranks }: SpectrumCell): boolean {
  return epochs.first !== epochs.last || ranks.first !== ranks.last
}

function cellRows(arm: Arm, cells: readonly SpectrumCell[]): readonly Spec[] {
  return cells.map(({ epochs, ranks, share }) => ({
    [armField]: arm.label,
    ...extent(epochs, 'epoch', 0.5),
    ...extent(ranks, 'rank', 0.5),
    share,
  }))
}

// Each cell extends two pixels under the next ones, which are drawn over it. Edges that only touch would be antialiased into
// visible lines of the background colour.
const cellMark = { type: 'rect', x2Offset: 2, y2Offset: 2, clip: true } as const

function evolutionEncoding(): Spec {
  const scale = { nice: false, zero: false }
  const epoch = { ...epochAxis, tickCount: 10, grid: false }
  return {
    x: { field: 'epochFrom', type: 'quantitative', axis: epoch, scale },
    x2: { field: 'epochTo' },
    y: { field: 'rankFrom', type: 'quantitative', axis: rankAxis, scale: { ...scale, reverse: true } },
    y2: { field: 'rankTo' },
    color: {
      field: 'share',
      type: 'quantitative',
      scale: { scheme: 'cividis', domainMin: 0 },
      legend: { title: 'σ/Σσ', format: '~g', orient: 'bottom' },
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
