/** The picture of the trade-off: test MSE against effective rank. */
import type { Arm, Comparison } from '../comparison/comparison.js'
import type { Summary } from '../comparison/statistics.js'
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import {
  armColorEncoding,
  armField,
  armText,
  type Chart,
  type Domain,
  domainAround,
  farAway,
  grey,
  haloed,
  layerOf,
  numbers,
  rowMargin,
  type Spec,
  withoutOutliers,
} from './chart.js'
import { labelsOf, withoutWideInterval } from './epochs.js'
import { rankMetric, resultsByArm } from './final-values.js'

const size = { width: 480, height: 300 } as const
const fontSize = 11

// More labels could not be read.
const mostLabels = 14

const enoughForOutliers = 8

interface Dot {
  readonly arm: Arm
  /** Without intervals over few seeds, which would be wider than all differences. */
  readonly x: Summary
  readonly y: Summary
}

/**
 * Draws every arm by its effective rank, or the rank's share of d if the arms differ in d, and its test MSE, with the line through the arms that no other arm beats in both.
 * @param drawn the arms that have a colour in the other pictures
 */
export function paretoChart({ arms, results }: Comparison, drawn: readonly Arm[]): Chart | null {
  const rank = rankMetric(arms)
  const [ranks, errors] = [resultsByArm(results, rank), resultsByArm(results, 'test_mse')]
  const dots = arms.flatMap((arm) => {
    const [x, y] = [ranks.get(arm.name)?.summary, errors.get(arm.name)?.summary]
    if (x === undefined || y === undefined) return []
    return [{ arm, x: withoutWideInterval(arm, x), y: withoutWideInterval(arm, y) }]
  })
  if (dots.length < 2) return null
  const best = new Set(dots.filter((dot) => !dots.some((other) => beats(other, dot))))
  const ys = dots.map(({ y }) => y.mean)
  const top = dots.length < enoughForOutliers ? Math.max(...ys) : withoutOutliers(ys, farAway)[1]
  const shown = dots.filter(({ y }) => y.mean <= top)
  // More arms than colours can only be distinguished by their labels.
  const labels = drawn.length === arms.length ? labelsOf(drawn) : null
  const runs = labels === null ? [] : dots.flatMap(({ arm }) => runsOf(arm, rank))
  const domains = {
    x: domainAround([...dots.flatMap(({ x }) => boundsOf(x)), ...runs.map(({ x }) => x)]),
    y: domainAround([
      ...shown.flatMap(({ y }) => boundsOf(y)),
      ...runs.map(({ y }) => y).filter((y) => y <= top),
    ]),
  }
  const [, edge] = domains.y
  const labelled = shown.length <= mostLabels ? shown : shown.filter((dot) => best.has(dot))
  const rows = [
    ...runs.filter(({ y }) => y <= edge),
    ...[...best]
      .sort((a, b) => a.x.mean - b.x.mean)
      .map(({ x, y }) => ({ kind: 'frontier', x: x.mean, y: y.mean })),
    ...dots.map((dot) => {
      const { arm, x, y } = dot
      const [[xLow, xHigh], [yLow, yHigh]] = [boundsOf(x), boundsOf(y)]
      return {
        kind: y.mean > edge ? 'beyond' : 'mean',
        [armField]: arm.label,
        best: best.has(dot),
        x: x.mean,
        y: y.mean,
        height: Math.min(y.mean, edge),
        xLow,
        xHigh,
        yLow,
        yHigh: Math.min(edge, yHigh),
      }
    }),
    ...labelRows(labelled.slice(0, mostLabels), shown, domains),
  ]
  const withRuns = runs.length > arms.length ? ', with the single seeds as small dots' : ''
  const beyond = shown.length < dots.length ? ' Triangles at the upper edge are arms far beyond it.' : ''
  return {
    name: 'pareto',
    title: `Test MSE against ${meaningOf(rank).title}`,
    caption: `Means after the last epoch${withRuns}. Right and down is better; the line joins the arms that no other arm beats in both.${beyond}`,
    panels: { count: 1, ...size, columns: 1, margin: rowMargin },
    spec: { data: { values: rows }, layer: layersOf(domains, labels, meaningOf(rank).title) },
  }
}

function beats(a: Dot, b: Dot): boolean {
  const atLeast = a.x.mean >= b.x.mean && a.y.mean <= b.y.mean
  return atLeast && (a.x.mean > b.x.mean || a.y.mean < b.y.mean)
}

function boundsOf({ mean, interval }: Summary): Domain {
  return interval === null ? [mean, mean] : [interval.low, interval.high]
}

function runsOf({ label, runs }: Arm, rank: Metric) {
  return runs.flatMap((run) => {
    const [x, y] = [metricOf(run, rank), metricOf(run, 'test_mse')]
    if (x === null || y === null || runs.length < 2) return []
    return [{ kind: 'run', [armField]: label, seed: run.record.seed, x, y }]
  })
}

type Domains = Readonly<Record<'x' | 'y', Domain>>

/** Returns the labels beside their dots. */
function labelRows(labelled: readonly Dot[], dots: readonly Dot[], domains: Domains): readonly Spec[] {
  const share = (value: number, [low, high]: Domain) => (value - low) / (high - low)
  const place = ({ x, y }: Dot): Anchor => ({
    x: size.width * share(x.mean, domains.x),
    y: size.height * (1 - share(y.mean, domains.y)),
  })
  const boxes = labelled.map((dot) => ({
    ...place(dot),
    width: 0.6 * fontSize * dot.arm.label.length,
    height: 13,
  }))
  return placeLabels(boxes, dots.map(place), size).map(({ align, dx, dy }, index) => {
    const { arm, x, y } = labelled[index]!
    return { kind: 'label', [armField]: arm.label, x: x.mean, y: y.mean, align, dx, dy, text: arm.label }
  })
}

interface Anchor {
  readonly x: number
  readonly y: number
}

/** A rectangle in pixels; `left` and `top` are its upper left corner. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** The place of a label: the side that is fixed, as widths differ between fonts, and its distance from the dot. */
interface Placement extends Box {
  readonly align: 'left' | 'right' | 'center'
  readonly dx: number
  /** From the dot to the middle of the label. */
  readonly dy: number
}

type Label = Anchor & Pick<Box, 'width' | 'height'>

const distance = 4

// A label that is placed later may leave an earlier one a better place.
const passes = 3

/**
 * Places each label beside its dot where it covers the fewest other labels and dots and stays inside the panel: to the
 * upper right if it can be, where neither a line through dots nor a cross of intervals is likely. Positions and sizes are in pixels.
 */
export function placeLabels(
  labels: readonly Label[],
  dots: readonly Anchor[],
  panel: Pick<Box, 'width' | 'height'>,
): readonly Placement[] {
  const marks = dots.map(({ x, y }) => ({ left: x - 3, top: y - 3, width: 6, height: 6 }))
  const placed: Placement[] = []
  for (let pass = 0; pass < passes; pass++)
    for (const [index, label] of labels.entries()) {
      const others = placed.filter((_, other) => other !== index)
      const candidates = placementsOf(label)
      // A covered label makes both unreadable, so it costs more than a covered dot, and a cut label costs most.
      const costs = candidates.map((box) => {
        const { left, top, width, height } = box
        const isCut = left < 0 || top < 0 || left + width > panel.width || top + height > panel.height
        const covered = (boxes: readonly Box[]) => boxes.filter((other) => overlap(box, other)).length
        return (isCut ? 100 : 0) + 10 * covered(others) + covered(marks)
      })
      placed[index] = candidates[costs.indexOf(Math.min(...costs))]!
    }
  return placed
}

function placementsOf({ x, y, width, height }: Label): readonly Placement[] {
  const [above, below] = [-distance - height / 2, distance + height / 2]
  const placements: readonly (readonly [Placement['align'], number])[] = [
    ['left', above],
    ['left', below],
    ['right', above],
    ['right', below],
    ['left', 0],
    ['right', 0],
    ['center', above],
    ['center', below],
  ]
  const shift = { left: distance, right: -distance, center: 0 }
  const start = { left: 0, right: width, center: width / 2 }
  return placements.map(([align, dy]) => {
    const dx = shift[align]
    return { align, dx, dy, width, height, left: x + dx - start[align], top: y + dy - height / 2 }
  })
}

function overlap(a: Box, b: Box): boolean {
  const apart = a.left >= b.left + b.width || b.left >= a.left + a.width
  return !apart && a.top < b.top + b.height && b.top < a.top + a.height
}

/** @param labels the arms' labels for their colours; null if there are more arms than colours */
function layersOf(domains: Domains, labels: readonly string[] | null, rank: string): readonly Spec[] {
  const axisOf = (domain: Domain, axis: Spec) => ({ scale: { domain, nice: false, zero: false }, axis })
  const xAxis = axisOf(domains.x, { title: `${rank} (more is better)`, tickCount: 8, grid: true })
  const yAxis = axisOf(domains.y, { title: 'test MSE, clean input (less is better)' })
  const [x, y] = [numbers('x', xAxis), numbers('y', yAxis)]
  const color = labels === null ? undefined : armColorEncoding(labels)
  const ink = labels === null ? { color: grey } : {}
  const cross = { ...ink, type: 'rule', strokeWidth: 1.2, opacity: 0.7 }
  const point = { ...ink, type: 'point', filled: true, opacity: 1 }
  const tooltip = [
    armText,
    { field: 'x', title: rank, format: '.3f' },
    { field: 'y', title: 'test MSE', format: '.5f' },
  ]
  const mean = { x, y, color, shape: color, tooltip }
  const ring = { type: 'point', filled: false, color: grey, size: 110, strokeWidth: 1.5 }
  const moved = { align: { expr: 'datum.align' }, dx: { expr: 'datum.dx' }, dy: { expr: 'datum.dy' } }
  const label = { type: 'text', baseline: 'middle', fontSize, ...moved }
  return [
    layerOf('frontier', { type: 'line', strokeWidth: 1.2, color: grey }, { x, y, order: { field: 'x' } }),
    layerOf(
      'run',
      { ...point, size: 14, opacity: 0.6 },
      { x, y, color, tooltip: [...tooltip, { field: 'seed' }] },
    ),
    layerOf('mean', cross, { x: numbers('xLow', xAxis), x2: { field: 'xHigh' }, y, color }),
    layerOf('mean', cross, { x, y: numbers('yLow', yAxis), y2: { field: 'yHigh' }, color }),
    layerOf(
      'beyond',
      { ...point, size: 50, shape: 'triangle-up' },
      { x, y: numbers('height', yAxis), color, tooltip },
    ),
    layerOf('mean', { ...point, size: labels === null ? 35 : 65 }, mean),
    ...(labels === null ? [layerOf('mean', ring, { x, y, tooltip }, ' && datum.best')] : []),
    ...haloed(layerOf('label', label, { x, y, color, text: { field: 'text' } })),
  ]
}
