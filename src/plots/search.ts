/** The pictures of a search: the metric against each setting, and all settings of a trial at once. */
import type { Comparison } from '../comparison/comparison.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { armField, type Chart, panelTitle, type Spec } from './chart.js'
import { domainAround, withoutOutliers } from './domains.js'
import { type Axis, encodingOf, type Member, positionOn, type Settings } from './settings.js'

export const metric: Metric = 'test_mse'
export const rank: Metric = 'effective_rank'

export interface Trial {
  readonly member: Member
  readonly variant: string
  readonly value: number
  readonly rank: number | null
  readonly best: boolean
}

// Interquartile ranges from the others at which a trial counts as diverged and is drawn at the edge.
export const farAway = 3

// More lines are a solid block; the best ones are kept.
const mostTrials = 400
export const mostAxes = 9

/** Returns the trials with the metric, the best first. */
export function trialsOf({ results }: Comparison, { members }: Settings): readonly Trial[] {
  const means = (name: Metric) =>
    new Map(
      results.filter((result) => result.metric === name).map(({ arm, summary }) => [arm.name, summary.mean]),
    )
  const [values, ranks] = [means(metric), means(rank)]
  const trials = members.flatMap((member) => {
    const value = values.get(member.arm.name)
    if (value === undefined) return []
    return [{ member, variant: member.variant, value, rank: ranks.get(member.arm.name) ?? null }]
  })
  const sorted = trials.sort((a, b) => a.value - b.value)
  return sorted.slice(0, mostTrials).map((trial, place) => ({ ...trial, best: place === 0 }))
}

/** Draws the test MSE of every trial against each searched setting; null if there is no search. */
export function searchChart(comparison: Comparison, settings: Settings): Chart | null {
  const axes = settings.search.slice(0, mostAxes)
  const trials = trialsOf(comparison, settings)
  if (axes.length === 0 || trials.length === 0) return null
  const variants = [...new Set(settings.members.map(({ variant }) => variant))]
  const several = variants.length > 1 && variants.length < settings.members.length
  const { title } = meaningOf(metric)
  const values = trials.map(({ value }) => value)
  const near = withoutOutliers(values, farAway)
  const domain = domainAround(near)
  const y = {
    field: 'height',
    type: 'quantitative',
    axis: { title },
    scale: { domain, nice: false, zero: false },
  }
  const color = several
    ? {
        field: 'variant',
        type: 'nominal',
        scale: { domain: variants },
        legend: { orient: 'bottom', title: null },
      }
    : undefined
  return {
    name: 'search',
    title: `${title}, by each searched setting`,
    caption: `Every dot is a trial after its last epoch${several ? ', coloured by its config' : ''}. A ring marks the best one.${values.some((value) => value > near[1]) ? ' Triangles at the upper edge are trials far beyond it.' : ''}`,
    panels: { count: axes.length, width: 210, height: 170, columns: Math.min(3, axes.length), margin: 76 },
    spec: {
      data: {
        values: axes.flatMap((axis, panel) =>
          trials.flatMap((trial) => dotRow(trial, axis, panel, domain[1], near[1])),
        ),
      },
      concat: axes.map((axis, panel) => dotPanel(axis, panel, y, color)),
    },
  }
}

function dotRow(
  { member, variant, value, best }: Trial,
  axis: Axis,
  panel: number,
  top: number,
  most: number,
): readonly Spec[] {
  const at = member.values.get(axis.path)
  if (at === undefined) return []
  const x = axis.isNumeric && typeof at === 'number' ? positionOn(axis, at) : String(at)
  return [
    {
      [armField]: member.arm.label,
      variant,
      panel,
      at: String(at),
      x,
      value,
      best,
      height: value > most ? top : value,
      beyond: value > most,
    },
  ]
}

function dotPanel(axis: Axis, panel: number, y: Spec, color: Spec | undefined): Spec {
  const { axis: numbers, log } = encodingOf(axis)
  const x = axis.isNumeric
    ? {
        field: 'x',
        type: 'quantitative',
        axis: { ...numbers, title: null },
        scale: { nice: false, padding: 8, ...(log ? { type: 'log' } : { zero: false }) },
      }
    : { field: 'x', type: 'nominal', sort: axis.values, axis: { title: null, labelAngle: 0 } }
  const tooltip = [
    { field: armField, title: 'arm' },
    { field: 'at', title: axis.path },
    { field: 'value', title: meaningOf(metric).title, format: '.5f' },
  ]
  return {
    title: panelTitle(axis.path),
    transform: [{ filter: `datum.panel === ${panel}` }],
    layer: [
      {
        mark: { type: 'point', filled: true, size: 30, opacity: 0.75 },
        encoding: {
          x,
          y,
          shape: { condition: { test: 'datum.beyond', value: 'triangle-up' }, value: 'circle' },
          tooltip,
          ...(color !== undefined && { color }),
        },
      },
      {
        transform: [{ filter: 'datum.best' }],
        mark: { type: 'point', filled: false, size: 170, strokeWidth: 2 },
        encoding: { x, y, ...(color !== undefined && { color }) },
      },
    ],
  }
}
