/** A specification in Vega-Lite, or a part of one. */
export type Spec = Readonly<Record<string, unknown>>

/** A picture in Vega-Lite. It is rendered to files here and, in the report, drawn by the browser. */
export interface Chart {
  /** The name of its files without the extension. */
  readonly name: string
  readonly title: string
  /** The run, the arm or the sweep, for the titles of the files. */
  readonly subject?: string
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
  /** Width of an axis with its title, and of labels, beside a panel. */
  readonly margin: number
}

/** The field with an arm's label in all data. The report hides arms by it. */
export const armField = 'arm'

/** The name of layers that only serve a pointer. Files are drawn without them. */
export const pointerLayer = 'pointer'

/** The colour of arms beyond those that have one, on light and dark pages. */
export const grey = '#8a8a8a'

/** Returns the encoding that gives an arm the same colour in every picture. @param labels all drawn arms, in order */
export function armColors(labels: readonly string[]): Spec {
  return { field: armField, type: 'nominal', scale: { domain: labels }, legend: null }
}

/** Returns the fields of a tooltip: the arm, the position, the value and its interval. */
export function intervalTooltip(value: Spec, digits: number, ...position: readonly Spec[]): readonly Spec[] {
  const format = `.${digits}f`
  return [
    { field: armField, title: 'arm' },
    ...position,
    { ...value, format },
    { field: 'low', format, title: '95 % from' },
    { field: 'high', format, title: 'to' },
  ]
}

export const epochAxis = { title: 'epoch', tickMinStep: 1, format: 'd' } as const

/** Height of an axis with its title and of the next panel's heading. */
export const rowMargin = 74

/** Returns the title of a panel, like the heading of a facet. */
export function panelTitle(text: string): Spec {
  return { text, anchor: 'middle', fontSize: 12, fontWeight: 'normal', frame: 'group', offset: 6 }
}

/** Returns the chart's specification with the size and arrangement of its panels. */
export function applyLayout({ spec, panels }: Chart): Spec {
  const size = { width: panels.width, height: panels.height }
  const grid = {
    columns: panels.columns,
    bounds: 'flush',
    spacing: { row: rowMargin, column: panels.margin },
  }
  if ('facet' in spec) return { ...spec, ...grid, spec: { ...(spec.spec as Spec), ...size } }
  if ('concat' in spec)
    return {
      ...spec,
      ...grid,
      concat: (spec.concat as readonly Spec[]).map((each) => ({ ...each, ...size })),
    }
  return { ...spec, ...size }
}

/** Returns the chart's specification for a file, which has a title and no pointer. */
export function fileSpec(chart: Chart): Spec {
  const { title, subject } = chart
  return {
    ...(withoutPointerLayers(applyLayout(chart)) as Spec),
    title: subject === undefined ? title : `${title}: ${subject}`,
  }
}

function withoutPointerLayers(spec: unknown): unknown {
  if (Array.isArray(spec)) return spec.filter((each) => !isPointerLayer(each)).map(withoutPointerLayers)
  if (spec === null || typeof spec !== 'object') return spec
  return Object.fromEntries(
    Object.entries(spec).map(([key, value]) => [key, key === 'values' ? value : withoutPointerLayers(value)]),
  )
}

function isPointerLayer(spec: unknown): boolean {
  const name = (spec as Partial<Spec> | null)?.name
  return typeof name === 'string' && name.startsWith(pointerLayer)
}

/** Returns the layers of a text that can be read over lines: the same text, wider and in the colour of the background, below. */
export function haloed(layer: { readonly mark: Spec; readonly encoding: Spec }): readonly Spec[] {
  const { color: _, ...uncoloured } = layer.encoding
  return [{ ...layer, mark: { ...layer.mark, style: 'halo' }, encoding: uncoloured }, layer]
}
