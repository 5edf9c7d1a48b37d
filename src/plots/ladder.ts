/** The picture of a search with halving. */
import type { Comparison } from '../comparison/comparison.js'
import { nameInSweep } from '../comparison/labels.js'
import { columnOf, epochLine } from '../comparison/series.js'
import { groupBy } from '../group-by.js'
import { loggedMetrics, meaningOf } from '../runs/metrics.js'
import { count, escapeLine } from '../text/format.js'
import { armField, armText, type Chart, domainAround, epochAxis, grey, logAxis } from './chart.js'
import { drawnOf } from './drawn.js'
import { hasMarkers } from './epochs.js'
import { linesChart } from './lines.js'

const mostPanels = 6
// More lines are a solid block.
const mostLines = 400
const mostPoints = 100

/** The widths of the lines of trials that stop at the first rung and just before the last one. */
const widths = { first: 0.7, last: 1.7 }

/** Draws each trial's metric up to the rung at which it stopped; null if no search halved its trials. */
export function ladderChart(comparison: Comparison): Chart | null {
  const { arms, stopped, sweep } = comparison
  const column = loggedMetrics.find((name) => name === sweep?.halving?.metric)
  if (column === undefined) return null
  const rungs = sweep!.halving!.epochs
  const drawn = new Set(drawnOf(comparison))
  const trials = [...arms, ...stopped].filter(({ place }) => place !== null && place.trial !== null)
  if (trials.length === 0) return null
  const lines = trials.slice(0, mostLines).map((arm) => ({
    arm,
    family: escapeLine(nameInSweep({ ...arm.place!, trial: null })),
    points: epochLine(columnOf(arm.runs, column), mostPoints),
  }))
  const lastEpochs = new Map(lines.map(({ arm, points }) => [arm.name, points.at(-1)?.epoch ?? 0]))
  const last = Math.max(...lastEpochs.values())
  const names = new Set([...drawn].map(({ name }) => name).filter((name) => lastEpochs.get(name) === last))
  const values = lines.flatMap(({ points }) => points.map(({ summary }) => summary.mean))
  // The trials that stop first may be several times as far from 0 as the others.
  const log = Math.min(...values) > 0 && Math.max(...values) > 2 * Math.min(...values)
  const domain = domainAround(values, log)
  const { title } = meaningOf(column)
  const families = [...groupBy(lines, ({ family }) => family)]
  const below = [
    {
      mark: { type: 'rule', strokeDash: [5, 4], opacity: 0.6 },
      x: 'rung',
      y: 'low',
      encoding: { y2: { field: 'high' } },
    },
    {
      mark: { type: 'line', color: grey, opacity: 0.8 },
      x: 'epoch',
      y: 'mean',
      encoding: {
        detail: { field: armField },
        strokeWidth: { field: 'width', type: 'quantitative', scale: null },
      },
    },
    {
      mark: { type: 'point', filled: true, size: 12, color: grey },
      x: 'end',
      y: 'mean',
      encoding: {
        tooltip: [armText, { field: 'end', title: 'epoch' }, { field: 'mean', format: '.5f', title }],
      },
    },
  ]
  const panels = families.slice(0, mostPanels).map(([family, members]) => ({
    title: `${family}, ${count(members.length, 'trial')}`,
    series: members
      .filter(({ arm }) => names.has(arm.name))
      .map(({ arm, points }) => ({
        label: arm.label,
        points: points.map(({ epoch, summary }) => ({ x: epoch, summary: { ...summary, interval: null } })),
        seeds: [],
      })),
    x: { field: 'epoch', axis: { ...epochAxis, values: rungs }, log: true },
    y: { title, domain, log, ...(log && { axis: logAxis(domain) }), digits: 5 },
    markers: hasMarkers(arms),
    ends: true,
    below,
    belowRows: [
      ...rungs.map((rung) => ({ rung, low: domain[0], high: domain[1] })),
      ...members
        .filter(({ arm }) => !names.has(arm.name))
        .flatMap(({ arm, points }) => {
          const width = widthAt(lastEpochs.get(arm.name)!, rungs)
          return points.map(({ epoch, summary: { mean } }, place) => ({
            ...{ [armField]: escapeLine(arm.label), epoch, mean, width },
            ...(place === points.length - 1 && { end: epoch }),
          }))
        }),
    ],
  }))
  const cut = [
    ...(families.length > mostPanels ? [` The first ${mostPanels} of ${families.length} panels.`] : []),
    ...(trials.length > mostLines ? [` The first ${mostLines} of ${trials.length} trials.`] : []),
  ]
  return linesChart(
    {
      name: 'ladder',
      title: `Rungs of the search, by ${title}`,
      caption: `Mean over the seeds for each trial, up to the rung (dashed) at which the search stopped it. The more rungs, the bolder the line; those of the last rung are coloured.${cut.join('')}`,
    },
    panels,
    [...drawn].map(({ label }) => label),
    { width: 420, height: 280, columns: Math.min(2, panels.length) },
  )
}

function widthAt(epoch: number, rungs: readonly number[]): number {
  const passed = rungs.filter((rung) => rung < epoch).length
  return widths.first + ((widths.last - widths.first) * passed) / Math.max(1, rungs.length - 2)
}
