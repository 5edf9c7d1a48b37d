/** Panels with a line per arm: over the epochs, the ranks, or the values of a swept setting. */
import type { Summary } from '../comparison/statistics.js'
import { truncateDistinct } from '../text/table.js'
import {
  armColors,
  armField,
  type Chart,
  intervalTooltip,
  type Panels,
  panelTitle,
  pointerLayer,
  type Spec,
} from './chart.js'
import { dodge } from './dodge.js'
import type { Domain } from './domains.js'
import { dashes } from './theme.js'

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
  /** Layers below the lines. */
  readonly below?: readonly Spec[]
  /** Rows for the layers below. */
  readonly belowRows?: readonly Spec[]
}

/** The height of an arm's label at the end of its line. */
const labelHeight = 13
const labelFontSize = 11
const labelCharacters = 36
// Invisible points that show the values of a line without markers under the pointer.
const mostHovered = 100

/** Returns a chart of panels that have the same lines. @param labels all drawn arms in order, for their colours */
export function linesChart(
  chart: Omit<Chart, 'spec' | 'panels'>,
  panels: readonly LinePanel[],
  labels: readonly string[],
  size: { readonly width: number; readonly height: number; readonly columns: number },
): Chart {
  const ends = truncateDistinct(labels, labelCharacters)
  const hidesSeeds = labels.length > mostWithSeeds
  const shown = panels.map((panel) => (hidesSeeds && !panel.bars ? withoutSeeds(panel) : panel))
  const rows = shown.flatMap((panel, index) =>
    rowsOf(panel, index, new Map(labels.map((label, arm) => [label, ends[arm]!])), size.height),
  )
  return {
    ...chart,
    panels: { ...size, count: panels.length, margin: marginOf(panels, ends) },
    spec: {
      data: { values: rows },
      concat: shown.map((panel, index) => ({
        title: panelTitle(panel.title),
        layer: layersOf(panel, index, labels),
      })),
    },
  }
}

/** The thin lines of the single seeds of more arms hide each other. */
export const mostWithSeeds = 6

function withoutSeeds(panel: LinePanel): LinePanel {
  return { ...panel, series: panel.series.map((each) => ({ ...each, seeds: [] })) }
}

const axisMargin = 70

function marginOf(panels: readonly LinePanel[], ends: readonly string[]): Panels['margin'] {
  if (!panels.some((panel) => panel.ends)) return axisMargin
  // About the mean width of a character in the fonts of browsers, which are wider than that of the files.
  return axisMargin + 10 + Math.ceil(0.6 * labelFontSize * Math.max(...ends.map(({ length }) => length)))
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

function rowsOf(
  { x: { field }, y, series, ends, ringed, belowRows = [] }: LinePanel,
  panel: number,
  names: ReadonlyMap<string, string>,
  height: number,
): readonly Spec[] {
  const [low, high] = y.domain
  const inside = (value: number) => Math.min(high, Math.max(low, value))
  const row = (label: string, kind: string, { x, text, isolated, summary: { mean, interval } }: Point) => ({
    [armField]: label,
    panel,
    kind,
    [field]: x,
    ...(text !== undefined && { text }),
    ...(isolated !== undefined && { isolated }),
    ...(ringed === mean && { ringed: true }),
    mean: inside(mean),
    low: inside(interval?.low ?? mean),
    high: inside(interval?.high ?? mean),
  })
  return [
    ...belowRows.map((each) => ({ ...each, panel, kind: 'below' })),
    ...series.flatMap(({ label, points, seeds }) => {
      const step = Math.max(1, Math.ceil(points.length / mostHovered))
      return [
        ...points.map((point, place) => ({
          ...row(label, 'mean', point),
          hovered: place % step === 0 || place === points.length - 1,
        })),
        ...seeds.flatMap((seed, run) => seed.map((point) => ({ ...row(label, 'seed', point), run }))),
      ]
    }),
    ...(ends ? endRows(series, field, y, panel, names, height) : []),
  ]
}

/** Returns the labels at the ends of the lines, in places where they do not overlap. */
function endRows(
  series: readonly Series[],
  field: string,
  { domain: [low, high], log }: LinePanel['y'],
  panel: number,
  names: ReadonlyMap<string, string>,
  height: number,
): readonly Spec[] {
  const toPixel = log
    ? (value: number) => (height * Math.log(value / low)) / Math.log(high / low)
    : (value: number) => (height * (value - low)) / (high - low)
  const toValue = log
    ? (pixel: number) => low * (high / low) ** (pixel / height)
    : (pixel: number) => low + (pixel / height) * (high - low)
  const ended = series.flatMap(({ label, points }) => {
    const last = points.at(-1)
    return last === undefined
      ? []
      : [{ label, x: last.x, y: Math.min(high, Math.max(low, last.summary.mean)) }]
  })
  const places = dodge(
    ended.map(({ y }) => toPixel(y)),
    labelHeight,
    [0, height],
  )
  return ended.map(({ label, x, y }, index) => ({
    [armField]: label,
    panel,
    kind: 'end',
    [field]: x,
    mean: y,
    place: toValue(places[index]!),
    name: names.get(label) ?? label,
  }))
}

/** The parts of encodings that the layers of a panel share. */
interface Encodings {
  readonly x: Spec
  readonly y: Spec
  readonly color: Spec
  /** The scale of dashes and shapes. */
  readonly scale: Spec
}

type Selector = (kind: string, more?: string) => Spec

function layersOf(panel: LinePanel, index: number, labels: readonly string[]): readonly Spec[] {
  const { x, y, series, ends, bars = false, below = [] } = panel
  const of: Selector = (kind, more = '') => ({
    transform: [{ filter: `datum.panel === ${index} && datum.kind === '${kind}'${more}` }],
  })
  const yScale = { domain: y.domain, nice: false, ...(y.log ? { type: 'log' } : { zero: false }) }
  const xScale = { nice: false, padding: 8, ...(x.log ? { type: 'log' } : { zero: false }) }
  const shared: Encodings = {
    x: { field: x.field, type: 'quantitative', axis: x.axis, scale: xScale },
    y: { type: 'quantitative', scale: yScale, axis: { title: y.title, ...y.axis } },
    color: armColors(labels),
    scale: { domain: labels },
  }
  return [
    ...below.map((layer) => ({ ...withAxes(layer, shared), ...of('below') })),
    { ...of('mean'), ...(bars ? barLayer(shared) : bandLayer(shared)) },
    ...(series.some(({ seeds }) => seeds.length > 0)
      ? [{ ...of('seed'), ...(bars ? seedPointLayer(shared) : seedLayer(shared)) }]
      : []),
    { ...of('mean', ' && !datum.isolated'), ...lineLayer(shared) },
    { ...of('mean', ' && datum.hovered'), ...pointLayer(panel, index, shared) },
    ...(panel.ringed === undefined ? [] : [{ ...of('mean', ' && datum.ringed'), ...ringLayer(shared) }]),
    ...(ends ? endLayers(of, shared) : []),
  ]
}

/** Gives a layer the axes of the panel. A layer with other axes would change them, as Vega-Lite merges the axes of layers. */
function withAxes(layer: Spec, { x, y }: Encodings): Spec {
  const encoding = layer.encoding as Readonly<Record<string, Spec>>
  const axes = {
    ...(encoding.x?.field !== undefined && { x: { ...encoding.x, axis: x.axis, scale: x.scale } }),
    ...(encoding.y?.field !== undefined && { y: { ...encoding.y, axis: y.axis, scale: y.scale } }),
  }
  return { ...layer, encoding: { ...encoding, ...axes } }
}

function bandLayer({ x, y, color }: Encodings): Spec {
  return {
    mark: { type: 'area', opacity: 0.15 },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
  }
}

function barLayer({ x, y, color }: Encodings): Spec {
  return {
    mark: { type: 'rule', strokeWidth: 1.5, opacity: 0.7 },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
  }
}

function seedLayer({ x, y, color }: Encodings): Spec {
  return {
    mark: { type: 'line', strokeWidth: 0.8, opacity: 0.55 },
    encoding: { x, y: { ...y, field: 'mean' }, color, detail: { field: 'run' } },
  }
}

function seedPointLayer({ x, y, color }: Encodings): Spec {
  return {
    mark: { type: 'point', shape: 'stroke', size: 50, strokeWidth: 1.2, opacity: 0.7 },
    encoding: { x, y: { ...y, field: 'mean' }, color },
  }
}

function lineLayer({ x, y, color, scale }: Encodings): Spec {
  const strokeDash = { field: armField, type: 'nominal', scale: { ...scale, range: dashes }, legend: null }
  return {
    mark: { type: 'line', strokeWidth: 2, clip: false },
    encoding: { x, y: { ...y, field: 'mean' }, color, strokeDash },
  }
}

function pointLayer({ x, y, series, markers }: LinePanel, index: number, shared: Encodings): Spec {
  const withTexts = series.some(({ points }) => points.some(({ text }) => text !== undefined))
  const position = { field: withTexts ? 'text' : x.field, title: x.title ?? x.field }
  const encoding = {
    x: shared.x,
    y: { ...shared.y, field: 'mean' },
    color: shared.color,
    tooltip: intervalTooltip({ field: 'mean' }, y.digits, position),
  }
  const mark = { type: 'point', filled: true, size: 40 }
  if (!markers) {
    // Invisible, so that the values of a line show under the pointer.
    return { name: pointerLayer + index, mark: { ...mark, opacity: 0 }, encoding }
  }
  const shape = { field: armField, type: 'nominal', scale: shared.scale, legend: null }
  return { mark: { ...mark, opacity: 1 }, encoding: { ...encoding, shape } }
}

function ringLayer({ x, y, color }: Encodings): Spec {
  return {
    mark: { type: 'point', filled: false, shape: 'circle', size: 190, strokeWidth: 2 },
    encoding: { x, y: { ...y, field: 'mean' }, color },
  }
}

function endLayers(of: Selector, { x, y, color }: Encodings): readonly Spec[] {
  return [
    {
      ...of('end'),
      mark: { type: 'rule', strokeWidth: 0.8, x2Offset: 6, opacity: 0.8 },
      encoding: { x, x2: { value: 'width' }, y: { ...y, field: 'mean' }, color, y2: { field: 'place' } },
    },
    {
      ...of('end'),
      mark: { type: 'text', align: 'left', baseline: 'middle', dx: 9, fontSize: labelFontSize },
      encoding: { x: { value: 'width' }, y: { ...y, field: 'place' }, text: { field: 'name' }, color },
    },
  ]
}
