/** The picture of the trade-off: test MSE against effective rank. */
import type { Arm, Comparison, Result } from '../comparison/comparison.js'
import type { Summary } from '../comparison/statistics.js'
import { type Metric, metricOf } from '../runs/metrics.js'
import { armColors, armField, type Chart, grey, haloed, rowMargin, type Spec } from './chart.js'
import { domainAround, withoutOutliers } from './domains.js'
import { drawsSeeds } from './epochs.js'
import { type Box, placeLabels } from './place-labels.js'

const metrics = { x: 'effective_rank', y: 'test_mse' } as const satisfies Readonly<Record<string, Metric>>

const size = { width: 480, height: 340 } as const
const fontSize = 11

// More labels could not be read.
const mostLabels = 14

interface Dot {
  readonly arm: Arm
  readonly x: Summary
  readonly y: Summary
  readonly best: boolean
}

// Interquartile ranges from the others at which an arm counts as diverged and is drawn at the edge.
const farAway = 3
const enoughForOutliers = 8

/**
 * Draws every arm by its effective rank and its test MSE, with the line through the arms that no other arm beats in both.
 * @param drawn the arms that have a colour in the other pictures
 */
export function paretoChart({ arms, results }: Comparison, drawn: readonly Arm[]): Chart | null {
  const all = dotsOf(arms, results)
  if (all.length < 2) return null
  const ys = all.map(({ y }) => y.mean)
  const top = all.length < enoughForOutliers ? Math.max(...ys) : withoutOutliers(ys, farAway)[1]
  // More arms than colours can only be distinguished by their labels.
  const isColored = drawn.length === arms.length
  const runs = isColored ? all.flatMap(({ arm }) => runsOf(arm, arm.label)) : []
  const shown = all.filter(({ y }) => y.mean <= top)
  const domains = {
    x: domainAround([...all.flatMap(({ arm, x }) => ends(arm, x)), ...runs.map(({ x }) => x)]),
    y: domainAround([
      ...shown.flatMap(({ arm, y }) => ends(arm, y)),
      ...runs.map(({ y }) => y).filter((y) => y <= top),
    ]),
  }
  const rows = [
    ...runs.filter(({ y }) => y <= domains.y[1]),
    ...frontierRows(all),
    ...dotRows(all, domains),
    ...labelRows(shown, domains),
  ]
  const withRuns = runs.length > arms.length ? ', with the single seeds as small dots' : ''
  const beyond = shown.length < all.length ? ' Triangles at the upper edge are arms far beyond it.' : ''
  return {
    name: 'pareto',
    title: 'Test MSE against effective rank',
    caption: `Means after the last epoch${withRuns}. Right and down is better; the line joins the arms that no other arm beats in both.${beyond}`,
    panels: { count: 1, ...size, columns: 1, margin: rowMargin },
    spec: {
      data: { values: rows },
      layer: layersOf(domains, isColored ? drawn.map(({ label }) => label) : null),
    },
  }
}

function dotsOf(arms: readonly Arm[], results: readonly Result[]): readonly Dot[] {
  const summaries = (metric: Metric) =>
    new Map(
      results.filter((result) => result.metric === metric).map(({ arm, summary }) => [arm.name, summary]),
    )
  const [xs, ys] = [summaries(metrics.x), summaries(metrics.y)]
  const points = arms.flatMap((arm) => {
    const [x, y] = [xs.get(arm.name), ys.get(arm.name)]
    return x === undefined || y === undefined ? [] : [{ arm, x, y }]
  })
  return points.map((point) => ({ ...point, best: !points.some((other) => beats(other, point)) }))
}

type Position = Pick<Dot, 'x' | 'y'>

function beats(a: Position, b: Position): boolean {
  const atLeast = a.x.mean >= b.x.mean && a.y.mean <= b.y.mean
  return atLeast && (a.x.mean > b.x.mean || a.y.mean < b.y.mean)
}

/** Returns the values that the picture has to show: the interval over few seeds would be wider than all differences. */
function ends(arm: Arm, { mean, interval }: Summary): readonly number[] {
  return interval === null || drawsSeeds(arm) ? [mean] : [mean, interval.low, interval.high]
}

function runsOf(arm: Arm, label: string) {
  return arm.runs.flatMap((run) => {
    const [x, y] = [metricOf(run, metrics.x), metricOf(run, metrics.y)]
    if (x === null || y === null || arm.runs.length < 2) return []
    return [{ kind: 'run', [armField]: label, seed: run.record.seed, x, y }]
  })
}

function frontierRows(dots: readonly Dot[]): readonly Spec[] {
  const best = dots.filter((dot) => dot.best).sort((a, b) => a.x.mean - b.x.mean)
  return best.map(({ x, y }) => ({ kind: 'frontier', x: x.mean, y: y.mean }))
}

function dotRows(dots: readonly Dot[], domains: Domains): readonly Spec[] {
  return dots.map(({ arm, x, y, best }) => {
    const [xs, ys] = [ends(arm, x), ends(arm, y)]
    const beyond = y.mean > domains.y[1]
    return {
      kind: beyond ? 'beyond' : 'mean',
      [armField]: arm.label,
      best,
      x: x.mean,
      y: y.mean,
      height: Math.min(y.mean, domains.y[1]),
      ...{ xLow: Math.min(...xs), xHigh: Math.max(...xs) },
      ...{ yLow: Math.min(...ys), yHigh: Math.min(domains.y[1], Math.max(...ys)) },
    }
  })
}

interface Domains {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

/** Returns the labels of all arms if they are few, else of the best ones, beside their dots. */
function labelRows(dots: readonly Dot[], domains: Domains): readonly Spec[] {
  const labelled = (dots.length <= mostLabels ? dots : dots.filter(({ best }) => best)).slice(0, mostLabels)
  const pixel = (value: number, [low, high]: readonly [number, number], length: number) =>
    (length * (value - low)) / (high - low)
  const place = ({ x, y }: Position) => ({
    x: pixel(x.mean, domains.x, size.width),
    y: size.height - pixel(y.mean, domains.y, size.height),
  })
  const texts = labelled.map(({ arm }) => arm.label)
  const boxes: readonly Box[] = placeLabels(
    labelled.map((dot, index) => ({
      ...place(dot),
      width: 0.6 * fontSize * texts[index]!.length,
      height: 13,
    })),
    dots.map(place),
    size,
  )
  return labelled.map(({ arm, x, y }, index) => ({
    kind: 'label',
    [armField]: arm.label,
    x: x.mean,
    y: y.mean,
    ...anchorOf(boxes[index]!, place({ x, y }).x),
    dy: boxes[index]!.top + boxes[index]!.height / 2 - place({ x, y }).y,
    text: texts[index],
  }))
}

/** Returns the side of the label that is fixed: the one at the dot, as widths differ between fonts. */
function anchorOf({ left, width }: Box, x: number): { readonly align: string; readonly dx: number } {
  if (left >= x) return { align: 'left', dx: left - x }
  if (left + width <= x) return { align: 'right', dx: left + width - x }
  return { align: 'center', dx: left + width / 2 - x }
}

/** @param labels the arms' labels for their colours; null if there are more arms than colours */
function layersOf(domains: Domains, labels: readonly string[] | null): readonly Spec[] {
  const scale = (domain: readonly number[]) => ({ domain, nice: false, zero: false })
  const x = {
    field: 'x',
    type: 'quantitative',
    scale: scale(domains.x),
    axis: { title: 'effective rank (more is better)', tickCount: 8, grid: true },
  }
  const y = {
    field: 'y',
    type: 'quantitative',
    scale: scale(domains.y),
    axis: { title: 'test MSE, clean input (less is better)' },
  }
  const color = labels === null ? undefined : armColors(labels)
  const shape = labels === null ? undefined : armColors(labels)
  const layer = (kind: string, mark: Spec, encoding: Spec, more = '') => ({
    mark: labels === null && mark.type !== 'text' ? { color: grey, ...mark } : mark,
    transform: [{ filter: `datum.kind === '${kind}'${more}` }],
    encoding: { x, y, color, ...encoding },
  })
  const cross = { type: 'rule', strokeWidth: 1.2, opacity: 0.7 }
  const means = [
    { field: armField, title: 'arm' },
    { field: 'x', title: 'effective rank', format: '.3f' },
    { field: 'y', title: 'test MSE', format: '.5f' },
  ]
  const moved = { align: { expr: 'datum.align' }, dx: { expr: 'datum.dx' }, dy: { expr: 'datum.dy' } }
  return [
    {
      ...layer('frontier', { type: 'line', strokeWidth: 1.2, color: grey }, { order: { field: 'x' } }),
      encoding: { x, y, order: { field: 'x' } },
    },
    layer(
      'run',
      { type: 'point', filled: true, size: 14, opacity: 0.6 },
      { tooltip: [...means, { field: 'seed' }] },
    ),
    layer('mean', cross, { x: { ...x, field: 'xLow' }, x2: { field: 'xHigh' } }),
    layer('mean', cross, { y: { ...y, field: 'yLow' }, y2: { field: 'yHigh' } }),
    layer(
      'beyond',
      { type: 'point', filled: true, size: 50, opacity: 1, shape: 'triangle-up' },
      { y: { ...y, field: 'height' }, tooltip: means },
    ),
    layer(
      'mean',
      { type: 'point', filled: true, size: labels === null ? 35 : 65, opacity: 1 },
      { shape, tooltip: means },
    ),
    ...(labels === null
      ? [
          layer(
            'mean',
            { type: 'point', filled: false, color: grey, size: 110, strokeWidth: 1.5 },
            { tooltip: means },
            ' && datum.best',
          ),
        ]
      : []),
    ...haloed(
      layer('label', { type: 'text', baseline: 'middle', fontSize, ...moved }, { text: { field: 'text' } }),
    ),
  ]
}
