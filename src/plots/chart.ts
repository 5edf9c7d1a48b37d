/** The marks, colours and ranges that pictures share. The report's page uses this file in the browser, so it imports only colours. */
import { dashes } from './theme.js'

/** A specification in Vega-Lite, or a part of one. */
export type Spec = Readonly<Record<string, unknown>>

/** A picture in Vega-Lite. It is rendered to files here and, in the report, drawn by the browser. */
export interface Chart {
  /** The name of its files without the extension. */
  readonly name: string
  readonly title: string
  /** The run, the arm or the sweep, for the titles of the files. */
  readonly subject?: string
  /** The lines below the titles of the files, which name what all arms share. */
  readonly subtitle?: readonly string[]
  /** One or two sentences on its content and how to read it. */
  readonly caption: string
  readonly panels: Panels
  /** A single view, a `facet`, or a `concat` of views that share the top-level data. */
  readonly spec: Spec
}

/** The panels of a chart, all of the same size. Lengths are in pixels. */
export interface Panels {
  /** 1 for a chart with a single view. */
  readonly count: number
  readonly width: number
  readonly height: number
  /** Panels side by side in the files. */
  readonly columns: number
  /** The least width on a page, which then scrolls, in which labels do not overlap; 110 if absent. */
  readonly narrowest?: number
  /** Width of an axis with its title, and of labels, beside a panel. */
  readonly margin: number
}

/** An arm's label has at most this many characters: the space beside and above a panel. */
export const labelCharacters = 28

/** The field with an arm's label in all data. The report hides arms by it. */
export const armField = 'arm'

/** The arm in a tooltip. */
export const armText: Spec = { field: armField, title: 'arm' }

/** The name of layers that only serve a pointer. Files are drawn without them. */
export const pointerLayer = 'pointer'

/** The colour of arms beyond those that have one, on light and dark pages. */
export const grey = '#8a8a8a'

/** The arms' second colour, which has enough contrast on light and on dark pages. */
export const bestColor = '#d55e00'

/**
 * Returns the encoding that gives an arm the same colour in every picture.
 * @param labels the drawn arms, in the order of Comparison.arms, which readArms decides
 */
export function armColorEncoding(labels: readonly string[]): Spec {
  return { field: armField, type: 'nominal', scale: { domain: labels }, legend: null }
}

/** Returns the encoding that gives the drawn arms their colours, and grey to all others. */
export function armColorOrGrey(labels: readonly string[]): Spec {
  return {
    condition: { test: { field: armField, oneOf: labels }, ...armColorEncoding(labels) },
    value: grey,
  }
}

/** Returns the encoding that gives an arm's lines the same dashes in every picture. */
export function armDashEncoding(labels: readonly string[]): Spec {
  return { ...armColorEncoding(labels), scale: { domain: labels, range: dashes } }
}

/** Returns the encoding of a field with numbers. */
export function numbers(field: string, more: Spec = {}): Spec {
  return { field, type: 'quantitative', ...more }
}

/** Returns the layer of the rows of one kind. @param more a further condition on `datum` */
export function layerOf(kind: string, mark: Spec, encoding: Spec, more = '') {
  return { transform: [{ filter: `datum.kind === '${kind}'${more}` }], mark, encoding }
}

/** Returns the fields of a tooltip: the arm, the position, the value and its interval. */
export function intervalTooltip(value: Spec, format: string, ...position: readonly Spec[]): readonly Spec[] {
  return [
    armText,
    ...position,
    { ...value, format },
    { field: 'low', format, title: '95 % from' },
    { field: 'high', format, title: 'to' },
  ]
}

/** An axis whose labels never touch: those for which there is no space are left out. */
export const apart = { labelOverlap: 'greedy', labelSeparation: 6 } as const

export const epochAxis = { title: 'epoch', tickMinStep: 1, format: 'd' } as const
export const rankAxis = { title: 'rank', tickMinStep: 1, tickCount: 8, format: 'd', grid: false } as const

/** Height of an axis with its title and of the next panel's heading. */
export const rowMargin = 74

export type Domain = readonly [low: number, high: number]

/** Returns a domain around values, with a margin below and above. */
export function domainAround(values: readonly number[], log = false): Domain {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > 0))
  if (finite.length === 0) return log ? [0.1, 1] : [0, 1]
  const [low, high] = extremesOf(finite)
  if (log)
    return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.04, high * (high / low) ** 0.04]
  const margin = 0.04 * (high - low) || 0.1 * Math.abs(high) || 0.1
  // A quantity that is never negative has no axis below 0.
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin]
}

/** Interquartile ranges from the others at which an arm counts as diverged and is drawn at the edge. */
export const farAway = 3

/**
 * Returns the range of the values without those far outside (Tukey's fences), which would leave the others no space or a
 * single colour. @param reach the number of interquartile ranges that count as near
 */
export function withoutOutliers(values: readonly number[], reach: number): Domain {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const quartile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!
  const margin = reach * (quartile(0.75) - quartile(0.25))
  const near = sorted.filter((value) => value >= quartile(0.25) - margin && value <= quartile(0.75) + margin)
  return [near[0]!, near.at(-1)!]
}

/** Returns an axis with the powers of ten alone if there are several: lines at 2, 3, …, 9 times each would be too many. */
export function logAxis([low, high]: Domain): Spec {
  const first = Math.ceil(Math.log10(low) - 1e-9)
  const last = Math.floor(Math.log10(high) + 1e-9)
  if (last - first < 1) return { format: '~g', tickCount: 4 }
  return {
    format: '~g',
    values: Array.from({ length: last - first + 1 }, (_, power) => 10 ** (first + power)),
  }
}

/** Whether a logarithmic axis shows positive values better. */
export function spansDecades(values: readonly number[]): boolean {
  const [low, high] = extremesOf(values.filter(Number.isFinite))
  return low > 0 && high / low > 20
}

function extremesOf(values: readonly number[]): Domain {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  )
}

/** Returns the title of a panel, like the heading of a facet. */
export function panelTitle(text: string): Spec {
  return { text, anchor: 'middle', fontSize: 12, fontWeight: 'normal', frame: 'group', offset: 6 }
}

/** Returns a view with a panel for each value of a field, in this order; the view alone for a single arm. */
export function panelsBy(field: string, values: readonly string[], view: Spec): Spec {
  if (field === armField && values.length === 1) return view
  return { facet: { field, type: 'nominal', title: null, sort: values }, spec: view }
}

/** Returns the chart's specification with the size and arrangement of its panels. */
export function applyLayout({ spec, panels: { width, height, columns, margin } }: Chart): Spec {
  const size = { width, height }
  const grid = { columns, bounds: 'flush', spacing: { row: rowMargin, column: margin } }
  const { spec: view, concat } = spec as { readonly spec?: Spec; readonly concat?: readonly Spec[] }
  if (view !== undefined) return { ...spec, ...grid, spec: { ...view, ...size } }
  if (concat !== undefined) return { ...spec, ...grid, concat: concat.map((each) => ({ ...each, ...size })) }
  return { ...spec, ...size }
}

/** Returns the chart's specification for a file, which has a title and no pointer. */
export function fileSpec(chart: Chart): Spec {
  const { title, subject, subtitle } = chart
  const text = subject === undefined ? title : `${title}: ${subject}`
  const spec = applyLayout(chart)
  const views = spec.concat as readonly { readonly layer: readonly Spec[] }[] | undefined
  const concat = views?.map((view) => ({
    ...view,
    layer: view.layer.filter(({ name }) => !String(name).startsWith(pointerLayer)),
  }))
  return {
    ...spec,
    ...(concat && { concat }),
    title: subtitle === undefined ? text : { text, subtitle },
  }
}

/** Returns the layers of a text that can be read over lines: the same text, wider and in the colour of the background, below. */
export function haloed(layer: { readonly mark: Spec; readonly encoding: Spec }): readonly Spec[] {
  const { color: _, ...uncoloured } = layer.encoding
  return [{ ...layer, mark: { ...layer.mark, style: 'halo' }, encoding: uncoloured }, layer]
}
