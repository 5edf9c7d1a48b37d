/** The picture of the spectrum by epoch, which shows when dimensions come into use or die. */
import type { Arm } from '../comparison/comparison.js'
import { type Span, type SpectrumCell, spanText, spectrumCells } from '../comparison/series.js'
import { latentDimension } from '../model/architecture.js'
import { armField, type Chart, epochAxis, type Panels, type Spec } from './chart.js'
import { rankAxis } from './spectrum.js'

// Limits for a panel of 220 × 180 pixels, and for the cells of all arms in one picture.
const mostCells = { columns: 200, rows: 64, chart: 20_000 }
const fewestColumns = 24

// Powers of two around 1/d; shares beyond them are drawn like them.
const mostDoublings = 3

/** Draws the share of each rank by epoch as a colour: log₂(share·d), which is 0 where all dimensions are used equally. */
export function evolutionChart(arms: readonly Arm[]): Chart {
  const { columns, rows, chart } = mostCells
  const fitting = Math.max(fewestColumns, Math.floor(chart / (arms.length * rows)))
  const cells = arms.map((arm) => spectrumCells(arm, Math.min(columns, fitting), rows))
  const view = { mark: cellMark, encoding: evolutionEncoding() }
  const independent = { x: 'independent', y: 'independent' }
  return {
    name: 'evolution',
    title: 'Spectrum by epoch',
    caption: `Share σ/Σσ of each rank after each epoch (0: before training) as a multiple of 1/d, mean over the seeds. The middle of the colours is 1/d, equal use of all d dimensions; below 1/${2 ** mostDoublings} of it, a dimension is hardly used.${
      cells.flat().some(isMerged) ? ' A cell is the mean of several epochs or ranks.' : ''
    }`,
    panels: facetPanels(arms, 220, 180),
    spec: {
      data: { values: arms.flatMap((arm, index) => cellRows(arm, cells[index]!)) },
      ...(arms.length === 1
        ? view
        : {
            facet: { field: armField, type: 'nominal', title: null, sort: arms.map(({ label }) => label) },
            spec: view,
            resolve: { scale: independent, axis: independent },
          }),
    },
  }
}

function isMerged({ epochs, ranks }: SpectrumCell): boolean {
  return epochs.first !== epochs.last || ranks.first !== ranks.last
}

function cellRows(arm: Arm, cells: readonly SpectrumCell[]): readonly Spec[] {
  const dimensions = latentDimension(arm.config.model)
  return cells.map(({ epochs, ranks, share }) => ({
    [armField]: arm.label,
    ...extent(epochs, 'epoch'),
    ...extent(ranks, 'rank'),
    share,
    doublings: Math.max(-mostDoublings, Math.min(mostDoublings, Math.log2(share * dimensions))),
  }))
}

/** Returns the text of a span and its edges, half a step beyond the first and the last number. */
function extent(span: Span, name: 'epoch' | 'rank'): Spec {
  return { [name]: spanText(span), [`${name}From`]: span.first - 0.5, [`${name}To`]: span.last + 0.5 }
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
      field: 'doublings',
      type: 'quantitative',
      scale: {
        domain: [-3, -1.5, 0, 1.5, 3].map((part) => (part * mostDoublings) / 3),
        range: 'diverging',
        interpolate: 'lab',
      },
      legend: {
        title: 'share as a multiple of 1/d',
        values: [-3, -2, -1, 0, 1, 2, 3],
        labelExpr: multiplesExpression,
        orient: 'bottom',
        gradientLength: 220,
      },
    },
    tooltip: [
      { field: armField, title: 'arm' },
      { field: 'epoch' },
      { field: 'rank' },
      { field: 'share', format: '.4f' },
    ],
  }
}

const multiplesExpression = "datum.value < 0 ? '1/' + pow(2, -datum.value) : format(pow(2, datum.value), 'd')"

function facetPanels(arms: readonly Arm[], width: number, height: number): Panels {
  const count = arms.length
  return { count, width, height, columns: count === 4 ? 2 : Math.min(count, 3), margin: 64 }
}
