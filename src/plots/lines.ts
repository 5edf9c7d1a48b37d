/** Panels with a line per arm: over the epochs, the ranks, or the values of a swept setting. */
import type { Summary } from '../comparison/statistics.js'
import { truncateDistinct } from '../text/shorten.js'
import {
  armColorEncoding,
  armDashEncoding,
  armField,
  type Chart,
  type Domain,
  intervalTooltip,
  labelCharacters,
  layerOf,
  numbers,
  panelTitle,
  pointerLayer,
  type Spec,
} from './chart.js'

export interface Point {
  readonly x: number
  /** The text of x in tooltips, if it is not the number. */
  readonly text?: string
  /** Whether no line leads to it. */
  readonly isolated?: boolean
  readonly summary: Summary
}

export interface Series {
  /** The label of its arm. */
  readonly label: string
  readonly points: readonly Point[]
  /** Single runs, which are drawn thin if an interval over few runs would be wide. */
  readonly seeds: readonly (readonly Point[])[]
}

export interface LinePanel {
  readonly title: string
  readonly x: {
    readonly field: string
    /** The name in tooltips; the field if undefined. */
    readonly title?: string
    readonly axis: Spec
    readonly log?: boolean
  }
  readonly y: {
    readonly title: string
    readonly domain: Domain
    readonly log?: boolean
    readonly axis?: Spec
    /** Digits of the values in tooltips. */
    readonly digits: number
  }
  readonly series: readonly Series[]
  readonly markers: boolean
  /** Whether the lines' labels stand at their ends. */
  readonly ends: boolean
  /** Whether intervals are bars rather than bands, and single runs points: for a few values of x. */
  readonly bars?: boolean
  /** The value of the best point, which gets a ring. */
  readonly ringed?: number | undefined
  /** Layers below the lines on the same axes, whose x and y are fields of `belowRows`. */
  readonly below?: readonly {
    readonly mark: Spec
    readonly x?: string
    readonly y: string
    readonly encoding?: Spec
  }[]
  readonly belowRows?: readonly Spec[]
}

/** The height of an arm's label at the end of its line. */
const labelHeight = 13
const labelFontSize = 11
const axisMargin = 70
// Invisible points that show the values of a line without markers under the pointer.
const mostHovered = 100

/** The thin lines of the single seeds of more arms hide each other. */
export const mostWithSeeds = 6

/** Returns a chart of panels that have the same lines. @param labels all drawn arms in order, for their colours */
export function linesChart(
  chart: Omit<Chart, 'spec' | 'panels'>,
  panels: readonly LinePanel[],
  labels: readonly string[],
  size: { readonly width: number; readonly height: number; readonly columns: number },
): Chart {
  const shortened = truncateDistinct(labels, labelCharacters)
  const names = new Map(labels.map((label, arm) => [label, shortened[arm]!]))
  const hidesSeeds = labels.length > mostWithSeeds
  const shown = panels.map((panel) =>
    hidesSeeds && !panel.bars
      ? { ...panel, series: panel.series.map((each) => ({ ...each, seeds: [] })) }
      : panel,
  )
  // About the mean width of a character in the fonts of browsers, which are wider than that of the files.
  const labelWidth = Math.ceil(0.6 * labelFontSize * Math.max(...shortened.map(({ length }) => length)))
  const margin = axisMargin + (panels.some(({ ends }) => ends) ? 10 + labelWidth : 0)
  const rows = shown.flatMap((panel, index) =>
    [
      ...(panel.belowRows ?? []).map((row) => ({ ...row, kind: 'below' })),
      ...lineRows(panel),
      ...(panel.ends ? endRows(panel, names, size.height) : []),
    ].map((row) => ({ ...row, panel: index })),
  )
  return {
    ...chart,
    panels: { ...size, count: panels.length, margin },
    spec: {
      data: { values: rows },
      concat: shown.map((panel, index) => ({
        title: panelTitle(panel.title),
        layer: layersOf(panel, index, labels),
      })),
    },
  }
}

/** Returns the values that have to fit into the picture: means, and single runs or intervals. */
export function extentOf(series: readonly Series[]): readonly number[] {
  return series.flatMap(({ points, seeds }) => [
    ...points.map(({ summary }) => summary.mean),
    ...(seeds.length > 0
      ? seeds.flatMap((seed) => seed.map(({ summary }) => summary.mean))
      : points.flatMap(({ summary: { interval } }) =>
          interval === null ? [] : [interval.low, interval.high],
        )),
  ])
}

function clamp(value: number, [low, high]: Domain): number {
  return Math.min(high, Math.max(low, value))
}

function lineRows({ x: { field }, y: { domain }, series, ringed }: LinePanel): readonly Spec[] {
  const rowOf = (label: string, kind: string, { x, summary: { mean, interval }, ...more }: Point) => ({
    ...more,
    [armField]: label,
    kind,
    [field]: x,
    ...(ringed === mean && { ringed: true }),
    mean: clamp(mean, domain),
    low: clamp(interval?.low ?? mean, domain),
    high: clamp(interval?.high ?? mean, domain),
  })
  return series.flatMap(({ label, points, seeds }) => {
    const step = Math.max(1, Math.ceil(points.length / mostHovered))
    return [
      ...points.map((point, place) => ({
        ...rowOf(label, 'mean', point),
        hovered: place % step === 0 || place === points.length - 1,
      })),
      ...seeds.flatMap((seed, run) => seed.map((point) => ({ ...rowOf(label, 'seed', point), run }))),
    ]
  })
}

/** Returns the labels at the ends of the lines, in places where they do not overlap. */
function endRows(
  { x: { field }, y: { domain, log }, series }: LinePanel,
  names: ReadonlyMap<string, string>,
  height: number,
): readonly Spec[] {
  const [low, high] = domain
  const toPixel = log
    ? (value: number) => (height * Math.log(value / low)) / Math.log(high / low)
    : (value: number) => (height * (value - low)) / (high - low)
  const toValue = log
    ? (pixel: number) => low * (high / low) ** (pixel / height)
    : (pixel: number) => low + (pixel / height) * (high - low)
  const ended = series.flatMap(({ label, points }) => {
    const last = points.at(-1)
    return last === undefined ? [] : [{ label, x: last.x, y: clamp(last.summary.mean, domain) }]
  })
  const places = dodge(
    ended.map(({ y }) => toPixel(y)),
    labelHeight,
    [0, height],
  )
  return ended.map(({ label, x, y }, index) => ({
    kind: 'end',
    [armField]: label,
    [field]: x,
    mean: y,
    place: toValue(places[index]!),
    name: names.get(label) ?? label,
  }))
}

function layersOf(panel: LinePanel, index: number, labels: readonly string[]): readonly Spec[] {
  const { x, y, series, ends, bars = false, below = [], markers } = panel
  const onX = (field: string) =>
    numbers(field, {
      axis: x.axis,
      scale: { nice: false, padding: 8, ...(x.log ? { type: 'log' } : { zero: false }) },
    })
  const onY = (field: string) =>
    numbers(field, {
      axis: { title: y.title, ...y.axis },
      scale: { domain: y.domain, nice: false, ...(y.log ? { type: 'log' } : { zero: false }) },
    })
  const layer = (kind: string, mark: Spec, encoding: Spec = {}, more = '') => {
    const marks = { x: onX(x.field), y: onY('mean'), color: armColorEncoding(labels), ...encoding }
    return layerOf(kind, mark, marks, ` && datum.panel === ${index}${more}`)
  }
  const interval = { y: onY('low'), y2: { field: 'high' } }
  const strokeDash = armDashEncoding(labels)
  const shape = armColorEncoding(labels)
  const hasTexts = series.some(({ points }) => points.some(({ text }) => text !== undefined))
  const position = { field: hasTexts ? 'text' : x.field, title: x.title ?? x.field }
  const tooltip = intervalTooltip({ field: 'mean' }, `.${y.digits}f`, position)
  const points = layer('mean', marks.point, markers ? { tooltip, shape } : { tooltip }, ' && datum.hovered')
  return [
    ...below.map(({ mark, x: across, y: up, encoding }) => {
      const position = { x: across === undefined ? undefined : onX(across), y: onY(up) }
      return layer('below', mark, { color: undefined, ...position, ...encoding })
    }),
    layer('mean', bars ? marks.bar : marks.band, interval),
    ...(series.every(({ seeds }) => seeds.length === 0)
      ? []
      : [
          bars ? layer('seed', marks.seedPoint) : layer('seed', marks.seedLine, { detail: { field: 'run' } }),
        ]),
    layer('mean', marks.line, { strokeDash }, ' && !datum.isolated'),
    // Invisible without markers, so that the values of a line show under the pointer.
    markers ? points : { ...points, name: pointerLayer + index, mark: { ...marks.point, opacity: 0 } },
    ...(panel.ringed === undefined ? [] : [layer('mean', marks.ring, {}, ' && datum.ringed')]),
    ...(ends
      ? [
          layer('end', marks.leader, { x2: { value: 'width' }, y2: { field: 'place' } }),
          layer('end', marks.name, { x: { value: 'width' }, y: onY('place'), text: { field: 'name' } }),
        ]
      : []),
  ]
}

const marks = {
  band: { type: 'area', opacity: 0.15 },
  bar: { type: 'rule', strokeWidth: 1.5, opacity: 0.7 },
  seedLine: { type: 'line', strokeWidth: 0.8, opacity: 0.55 },
  seedPoint: { type: 'point', shape: 'stroke', size: 50, strokeWidth: 1.2, opacity: 0.7 },
  line: { type: 'line', strokeWidth: 2, clip: false },
  point: { type: 'point', filled: true, size: 40, opacity: 1 },
  ring: { type: 'point', filled: false, shape: 'circle', size: 190, strokeWidth: 2 },
  /** From the end of a line to its name. */
  leader: { type: 'rule', strokeWidth: 0.8, x2Offset: 6, opacity: 0.8 },
  name: { type: 'text', align: 'left', baseline: 'middle', dx: 9, fontSize: labelFontSize },
}

/**
 * Returns positions as close as possible to the given ones (least squares) that keep a distance and lie between two bounds.
 * If there is too little space for the distance, it is divided evenly.
 */
export function dodge(
  positions: readonly number[],
  distance: number,
  [low, high]: Domain,
): readonly number[] {
  const last = positions.length - 1
  const gap = last > 0 ? Math.min(distance, (high - low) / last) : 0
  const order = [...positions.keys()].sort((a, b) => positions[a]! - positions[b]!)
  // Without the gaps, the places have to be ascending: isotonic regression by pooling adjacent violators.
  const pools: { sum: number; count: number }[] = []
  const mean = ({ sum, count }: { readonly sum: number; readonly count: number }) => sum / count
  for (const [place, index] of order.entries()) {
    pools.push({ sum: positions[index]! - place * gap, count: 1 })
    while (pools.length > 1 && mean(pools.at(-2)!) > mean(pools.at(-1)!)) {
      const { sum, count } = pools.pop()!
      pools.at(-1)!.sum += sum
      pools.at(-1)!.count += count
    }
  }
  const placed = pools.flatMap((pool) => new Array<number>(pool.count).fill(mean(pool)))
  const result = new Array<number>(positions.length)
  for (const [place, index] of order.entries())
    result[index] = clamp(placed[place]!, [low, high - last * gap]) + place * gap
  return result
}
