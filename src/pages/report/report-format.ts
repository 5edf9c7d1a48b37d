import type { Chart } from '../../plots/chart.js'

/** The JSON in the report's element "report-data", for its script. */
export interface ReportData {
  readonly charts: readonly Chart[]
  /** The labels of the drawn arms, by which charts hide them. */
  readonly labels: readonly string[]
  readonly themes: Readonly<Record<'light' | 'dark', object>>
  /** By the id of the element that shows the table. */
  readonly tables: Readonly<Record<string, TableData>>
  /** The notes below the main table. */
  readonly notes: readonly string[]
  readonly choices: Choices
  /** comparison.csv; null if it is too long for the page. */
  readonly csv: string | null
}

/** A table that the script shows and sorts. Its texts may hold any character. */
export interface TableData {
  readonly columns: readonly TableColumn[]
  readonly rows: readonly TableRow[]
}

export interface TableColumn {
  readonly title: string
  /** Shown if the pointer rests on the title. */
  readonly hint?: string
  readonly align: 'left' | 'right'
  /** Whether the first click on the title sorts the largest values first. */
  readonly descending?: boolean
}

export interface TableRow {
  /** The index of the drawn arm whose colour marks the row; absent if there is none. */
  readonly arm?: number
  /** The row's name for other scripts; absent if it has none. */
  readonly id?: string
  readonly cells: readonly TableCell[]
}

export type TableCell = string | WholeCell

export interface WholeCell {
  readonly text: string
  /** The value to sort by if it is not the text. Null sorts last. */
  readonly sort?: number | string | null
  /** Classes of the style. */
  readonly tone?: string
  /** Shown if the pointer rests on the cell. */
  readonly hint?: string
  /** Values of a small curve, which replaces the text. */
  readonly curve?: readonly number[]
}

/** A quantity that the reader can put on an axis. */
export interface Quantity {
  readonly name: string
  readonly title: string
}

/** The quantities of the chart whose axes the reader chooses. */
export interface Choices {
  /** Quantities with a value per epoch. */
  readonly logged: readonly Quantity[]
  /** Quantities with a value per run: metrics after the last epoch, and the config fields in which arms differ. */
  readonly final: readonly Quantity[]
  /** One for each drawn arm: one value per epoch in `epochs`; `values` has one list per logged quantity. */
  readonly arms: readonly {
    readonly epochs: readonly number[]
    readonly values: readonly (readonly (Estimate | null)[])[]
  }[]
  /** One for each completed run, with its folder, its arm's label and one value per final quantity. */
  readonly runs: readonly {
    readonly run: string
    readonly arm: string
    readonly values: readonly (number | string | null)[]
  }[]
}

/** A mean over the runs of an arm, and its 95 % interval if there are several. */
export type Estimate = readonly [mean: number] | readonly [mean: number, low: number, high: number]
