/** The pictures of the course of an arm as colours by epoch: the spectrum, and the dead units of each layer. */
import type { Arm } from '../comparison/comparison.js'
import { type NumberRange, rangeText, spectrumCells } from '../comparison/series.js'
import { meanOf } from '../comparison/statistics.js'
import { latentDimension } from '../model/architecture.js'
import { armField, armText, type Chart, epochAxis, numbers, panelsBy, rankAxis, type Spec } from './chart.js'
import { labelsOf } from './epochs.js'

// Limits for a panel of 220 × 180 pixels, and for the cells of all arms in one picture.
const mostCells = { columns: 200, rows: 64, chart: 20_000 }
const fewestColumns = 24

// Powers of two around 1/d; shares beyond them are drawn like them.
const mostDoublings = 3

/** Draws the share of each rank by epoch as a colour: log₂(share·d), which is 0 where all dimensions are used equally. */
export function evolutionChart(arms: readonly Arm[]): Chart {
  const { columns, rows, chart } = mostCells
  const fitting = Math.max(fewestColumns, Math.floor(chart / (arms.length * rows)))
  const cells = arms.flatMap((arm) => {
    const dimensions = latentDimension(arm.config.model)
    const doublings = (share: number) =>
      Math.max(-mostDoublings, Math.min(mostDoublings, Math.log2(share * dimensions)))
    return spectrumCells(arm, Math.min(columns, fitting), rows).map(({ epochs, ranks, share }) => ({
      [armField]: arm.label,
      ...extent(epochs, 'epoch'),
      ...extent(ranks, 'rank'),
      share,
      doublings: doublings(share),
      isMerged: epochs.first !== epochs.last || ranks.first !== ranks.last,
    }))
  })
  const merged = cells.some(({ isMerged }) => isMerged)
    ? ' A cell is the mean of several epochs or ranks.'
    : ''
  const scale = { nice: false, zero: false }
  const view = {
    mark: cellMark,
    encoding: {
      x: numbers('epochFrom', { axis: { ...epochAxis, tickCount: 10, grid: false }, scale }),
      x2: { field: 'epochTo' },
      y: numbers('rankFrom', { axis: rankAxis, scale: { ...scale, reverse: true } }),
      y2: { field: 'rankTo' },
      color: numbers('doublings', {
        scale: {
          domain: [-mostDoublings, -mostDoublings / 2, 0, mostDoublings / 2, mostDoublings],
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
      }),
      tooltip: [armText, { field: 'epoch' }, { field: 'rank' }, { field: 'share', format: '.4f' }],
    },
  }
  const independent = { x: 'independent', y: 'independent' }
  const count = arms.length
  return {
    name: 'evolution',
    title: 'Spectrum by epoch',
    caption: `Share σ/Σσ of each rank after each epoch (0: before training) as a multiple of 1/d, mean over the seeds. The middle of the colours is 1/d, equal use of all d dimensions; below 1/${2 ** mostDoublings} of it, a dimension is hardly used.${merged}`,
    panels: { count, width: 220, height: 180, columns: count === 4 ? 2 : Math.min(count, 3), margin: 64 },
    spec: {
      data: { values: cells.map(({ isMerged: _, ...row }) => row) },
      ...panelsBy(armField, labelsOf(arms), view),
      ...(count > 1 && { resolve: { scale: independent, axis: independent } }),
    },
  }
}

/** Returns the text of a span and its edges, half a step beyond the first and the last number. */
function extent(span: NumberRange, name: 'epoch' | 'rank'): Spec {
  return { [name]: rangeText(span), [`${name}From`]: span.first - 0.5, [`${name}To`]: span.last + 0.5 }
}

// Each cell extends two pixels under the next ones, which are drawn over it. Edges that only touch would be antialiased into
// visible lines of the background colour.
const cellMark = { type: 'rect', x2Offset: 2, y2Offset: 2, clip: true } as const

const multiplesExpression = "datum.value < 0 ? '1/' + pow(2, -datum.value) : format(pow(2, datum.value), 'd')"

/** Draws the share of dead units by layer and epoch; null if no run logs its layers. */
export function deadUnitsChart(arms: readonly Arm[]): Chart | null {
  const logged = arms.filter(({ runs }) => runs.some(({ layers }) => layers.length > 0))
  if (logged.length === 0) return null
  const rows = logged.flatMap(({ runs }) => runs.flatMap((run) => run.layers))
  const layers = [...new Set(rows.map(({ layer }) => layer))]
  const view = {
    mark: { type: 'rect', x2Offset: 1.5, clip: true },
    encoding: {
      x: numbers('from', {
        axis: { ...epochAxis, tickCount: 8, grid: false },
        scale: { nice: false, zero: false },
      }),
      x2: { field: 'to' },
      y: {
        field: 'layer',
        type: 'ordinal',
        sort: layers,
        scale: { paddingInner: 0.08 },
        axis: { title: 'layer' },
      },
      color: numbers('share', {
        scale: { range: 'emphasis', domain: [0, 1] },
        legend: { title: 'share of dead units', format: '.0%', orient: 'bottom', gradientLength: 200 },
      }),
      tooltip: [
        armText,
        { field: 'epoch' },
        { field: 'layer' },
        { field: 'dead', title: 'dead units', format: '.1f' },
        { field: 'width', title: 'of' },
      ],
    },
  }
  return {
    name: 'dead-units',
    title: 'Dead units by layer and epoch',
    caption:
      'Share of the units of each layer that are dead after each epoch, mean over the seeds. Point at a cell for their number.',
    panels: {
      count: logged.length,
      width: 240,
      height: Math.max(60, 22 * layers.length),
      columns: Math.min(3, logged.length),
      margin: 84,
    },
    spec: { data: { values: logged.flatMap(deadRows) }, ...panelsBy(armField, labelsOf(logged), view) },
  }
}

const mostColumns = 120

/** Returns the cells of an arm; long runs have a cell for several epochs, with the values of the last one. */
function deadRows({ label, runs }: Arm): readonly Spec[] {
  const rows = runs.flatMap(({ layers }) => layers)
  const epochs = [...new Set(rows.map(({ epoch }) => epoch))].sort((a, b) => a - b)
  const step = Math.ceil(epochs.length / mostColumns)
  const kept = epochs.filter((_, place) => (place + 1) % step === 0 || place === epochs.length - 1)
  return kept.flatMap((epoch, place) => {
    const ofEpoch = rows.filter((row) => row.epoch === epoch)
    const edges = { from: (kept[place - 1] ?? epochs[0]! - 1) + 0.5, to: epoch + 0.5 }
    return [...new Set(ofEpoch.map(({ layer }) => layer))].map((layer) => {
      const ofLayer = ofEpoch.filter((row) => row.layer === layer)
      const dead = meanOf(ofLayer.map(({ dead_units }) => dead_units))
      const { width } = ofLayer[0]!
      return { [armField]: label, epoch, layer, width, dead, share: dead / width, ...edges }
    })
  })
}
