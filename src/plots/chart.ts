/** Vega-Lite, as far as this project needs to know it. */
export type Spec = Readonly<Record<string, unknown>>

/** A picture: a chart in Vega-Lite. The same is rendered to files and, in the report, drawn by the browser. */
export interface Chart {
  /** Of its files, without the ending. */
  readonly name: string
  readonly title: string
  /** What it shows and how to read it, a sentence or two. */
  readonly caption: string
  readonly panels: Panels
  readonly spec: Spec
}

/** How the chart fits a page: panels of one width side by side. */
export interface Panels {
  /** 1 for a chart without facets. */
  readonly count: number
  readonly width: number
  readonly height: number
  /** As many stand side by side on paper. */
  readonly columns: number
  /** What an axis with its title takes beside a panel. */
  readonly margin: number
}

/** The field that holds an arm's label in all data, and by which the report hides arms. */
export const armField = 'arm'

/** What is shown of a value where the pointer is: its arm, its place, the value and its interval. */
export function intervalTooltip(value: Spec, digits: number, ...place: readonly Spec[]): readonly Spec[] {
  const format = `.${digits}f`
  return [
    { field: armField, title: 'arm' },
    ...place,
    { ...value, format },
    { field: 'low', format, title: '95 % from' },
    { field: 'high', format, title: 'to' },
  ]
}

export const epochAxis = { title: 'epoch', tickMinStep: 1, format: 'd' } as const

// For an axis with its title and the next panel's head.
export const rowMargin = 74

/** Places a spec's panels: as wide as asked, so many side by side. */
export function laidOut({ spec, panels }: Chart): Spec {
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
