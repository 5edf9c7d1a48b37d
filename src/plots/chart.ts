/** A specification in Vega-Lite, or a part of one. */
export type Spec = Readonly<Record<string, unknown>>

/** A picture in Vega-Lite. It is rendered to files here and, in the report, drawn by the browser. */
export interface Chart {
  /** The name of its files without the extension. */
  readonly name: string
  readonly title: string
  /** One or two sentences on its content and how to read it. */
  readonly caption: string
  readonly panels: Panels
  readonly spec: Spec
}

/** The panels of a chart, all of the same size. Lengths are in pixels. */
export interface Panels {
  /** 1 for a chart without facets. */
  readonly count: number
  readonly width: number
  readonly height: number
  /** Panels side by side in the files. */
  readonly columns: number
  /** Width of an axis with its title beside a panel. */
  readonly margin: number
}

/** The field with an arm's label in all data. The report hides arms by it. */
export const armField = 'arm'

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

/** Returns the chart's specification with the size and arrangement of its panels. */
export function applyLayout({ spec, panels }: Chart): Spec {
  const size = { width: panels.width, height: panels.height }
  if (!('facet' in spec)) return { ...spec, ...size }
  const spacing = { row: rowMargin, column: panels.margin }
  return {
    ...spec,
    columns: panels.columns,
    spec: { ...(spec.spec as Spec), ...size },
    bounds: 'flush',
    spacing,
  }
}
