/** The picture of the dead units of each layer. */
import type { Arm } from '../comparison/comparison.js'
import type { LayersRow } from '../runs/tables.js'
import { armField, type Chart, epochAxis, type Spec } from './chart.js'

const mostColumns = 120

/** Draws the share of dead units by layer and epoch; null if no run logs its layers. */
export function deadUnitsChart(arms: readonly Arm[]): Chart | null {
  const logged = arms.filter(({ runs }) => runs.some(({ layers }) => layers.length > 0))
  if (logged.length === 0) return null
  const layers = [
    ...new Set(logged.flatMap(({ runs }) => runs.flatMap((run) => run.layers.map(({ layer }) => layer)))),
  ]
  const facet = { field: armField, type: 'nominal', title: null, sort: logged.map(({ label }) => label) }
  const view = {
    mark: { type: 'rect', x2Offset: 1.5, clip: true },
    encoding: {
      x: {
        field: 'from',
        type: 'quantitative',
        axis: { ...epochAxis, tickCount: 8, grid: false },
        scale: { nice: false, zero: false },
      },
      x2: { field: 'to' },
      y: {
        field: 'layer',
        type: 'ordinal',
        sort: layers,
        scale: { paddingInner: 0.08 },
        axis: { title: 'layer' },
      },
      color: {
        field: 'share',
        type: 'quantitative',
        scale: { range: 'emphasis', domain: [0, 1] },
        legend: { title: 'share of dead units', format: '.0%', orient: 'bottom', gradientLength: 200 },
      },
      tooltip: [
        { field: armField, title: 'arm' },
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
    spec: {
      data: { values: logged.flatMap(deadRows) },
      ...(logged.length === 1 ? view : { facet, spec: view }),
    },
  }
}

/** Returns the cells of an arm; long runs have a cell for several epochs, with the values of the last one. */
function deadRows({ label, runs }: Arm): readonly Spec[] {
  const rows = runs.flatMap(({ layers }) => layers)
  const epochs = [...new Set(rows.map(({ epoch }) => epoch))].sort((a, b) => a - b)
  const step = Math.ceil(epochs.length / mostColumns)
  const kept = epochs.filter((_, place) => (place + 1) % step === 0 || place === epochs.length - 1)
  const groups = new Map<string, LayersRow[]>()
  for (const row of rows)
    groups.set(`${row.epoch} ${row.layer}`, [...(groups.get(`${row.epoch} ${row.layer}`) ?? []), row])
  return kept.flatMap((epoch, place) =>
    [...new Set(rows.map(({ layer }) => layer))].flatMap((layer) => {
      const group = groups.get(`${epoch} ${layer}`) ?? []
      const width = group[0]?.width
      if (width === undefined) return []
      const dead = group.reduce((sum, row) => sum + row.dead_units, 0) / group.length
      const before = kept[place - 1] ?? epochs[0]! - 1
      return [
        {
          [armField]: label,
          epoch,
          layer,
          width,
          dead,
          share: dead / width,
          from: before + 0.5,
          to: epoch + 0.5,
        },
      ]
    }),
  )
}
