import { createObjectCsvStringifier } from 'csv-writer'
import { EigenaeError } from '../errors.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { appendDurably, writeDurably, writeTogether } from '../files/write.js'
import type { TableName } from './files.js'
import { type FileSum, RunningSum, remakeHint } from './integrity.js'
import { loggedMetrics } from './metrics.js'

/** The columns of a run's CSV files, in the files' order. */
export const metricsColumns = ['epoch', ...loggedMetrics] as const
export const spectrumColumns = [
  'epoch',
  'rank',
  'singular_value',
  'singular_share',
  'eigenvalue',
  'eigen_share',
] as const
export const timingsColumns = ['epoch', 'train_seconds', 'eval_seconds', 'images_per_second'] as const
export const layersColumns = [
  'epoch',
  'layer',
  'width',
  'dead_units',
  'effective_rank',
  'mean_variance',
] as const
export const lossesColumns = ['epoch', 'term', 'kind', 'weight', 'value', 'weighted'] as const

/** The columns of each table. */
export const tableColumns: Readonly<Record<TableName, readonly string[]>> = {
  'metrics.csv': metricsColumns,
  'spectrum.csv': spectrumColumns,
  'timings.csv': timingsColumns,
  'layers.csv': layersColumns,
  'losses.csv': lossesColumns,
}

/** The columns that hold text, names without commas or quotes. All others hold numbers. */
const textColumns = ['layer', 'kind'] as const
type TextColumn = (typeof textColumns)[number]

function isTextColumn(column: string): column is TextColumn {
  return (textColumns as readonly string[]).includes(column)
}

/** One value per column; NaN if a number was not measured, which is an empty field in the file. */
type Row<Columns extends readonly string[]> = {
  readonly [Column in Columns[number]]: Column extends TextColumn ? string : number
}
export type MetricsRow = Row<typeof metricsColumns>
export type TimingsRow = Row<typeof timingsColumns>
export type SpectrumRow = Row<typeof spectrumColumns>
export type LayersRow = Row<typeof layersColumns>
export type LossesRow = Row<typeof lossesColumns>

/** A CSV file that grows by the rows of epochs and can be truncated to an earlier epoch. */
export class EpochTable<Columns extends readonly string[]> {
  readonly #file: string
  readonly #csv: ReturnType<typeof createObjectCsvStringifier>
  #unwritten = ''
  #sum = new RunningSum()

  constructor(file: string, columns: Columns) {
    this.#file = file
    this.#csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  }

  /** Length and SHA-256 of the header and all written rows. */
  get sum(): FileSum {
    return this.#sum.current()
  }

  /** Replaces the files of tables by ones with the header only. */
  static async start(tables: readonly EpochTable<readonly string[]>[]): Promise<void> {
    const headers = tables.map((table) => table.#csv.getHeaderString() ?? '')
    await writeTogether(tables.map((table, index) => ({ file: table.#file, content: headers[index]! })))
    for (const [index, table] of tables.entries()) table.#startSum(headers[index]!)
  }

  /** Keeps rows for the next `write`. */
  add(rows: readonly Row<Columns>[]): void {
    if (rows.length === 0) return // csv-writer would write an empty line
    this.#unwritten += this.#csv.stringifyRecords(rows.map(withEmptyFields))
  }

  /** Appends the rows that were added since the last call, as `appendDurably` does. */
  async write(): Promise<void> {
    if (this.#unwritten === '') return
    await appendDurably(this.#file, this.#unwritten)
    this.#sum.add(this.#unwritten)
    this.#unwritten = ''
  }

  /** Truncates the file to the given number of bytes. */
  async truncate(bytes: number): Promise<void> {
    const content = readIfPresent(this.#file, sizeLimits.table) ?? Buffer.alloc(0)
    const kept = content.subarray(0, bytes)
    if (content.length !== bytes) await writeDurably(this.#file, kept)
    this.#startSum(kept)
  }

  #startSum(content: string | Uint8Array): void {
    this.#sum = new RunningSum()
    this.#sum.add(content)
  }
}

function withEmptyFields(
  row: Readonly<Record<string, number | string>>,
): Readonly<Record<string, number | string>> {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, Number.isNaN(value) ? '' : value]),
  )
}

/**
 * Yields the lines that end with a newline. Each is decoded on its own: a table has millions, and may be larger than a
 * JavaScript string.
 */
export function* wholeLines(content: Buffer): Generator<string, undefined> {
  let start = 0
  for (let end = content.indexOf(newline); end >= 0; end = content.indexOf(newline, start)) {
    yield content.toString('utf8', start, end)
    start = end + 1
  }
}

const newline = 10

/**
 * Parses a table by the names of its columns. Unknown columns are dropped, missing ones and empty fields are NaN. The last
 * line is skipped if it lacks its newline, because it is still being written.
 */
export function* tableRows<Columns extends readonly string[]>(
  content: Buffer | undefined,
  file: string,
  columns: Columns,
): Generator<Row<Columns>> {
  const lines = wholeLines(content ?? Buffer.alloc(0))
  const { value: header } = lines.next()
  if (header === undefined) return
  const written = header.split(',')
  const refuse = (subject: string, problem: string) =>
    new EigenaeError({ problem, subject, hint: remakeHint })
  if (written[0] !== columns[0]) throw refuse(file, `its columns are not ${columns.join(',')}`)
  const fieldIndexes = columns.map((column) => written.indexOf(column))
  let number = 1
  for (const line of lines) {
    number++
    const fields = line.split(',')
    const row = fields.length === written.length ? parseFields(fields, columns, fieldIndexes) : null
    if (row === null) throw refuse(`${file}:${number}`, `is not a row of ${written.length} numbers`)
    yield row
  }
}

/**
 * Returns a row, null if a field that should be a number is none. Ten times as fast as a general CSV parser.
 * @param fieldIndexes the index of each column among the fields, −1 if the file lacks it
 */
function parseFields<Columns extends readonly string[]>(
  fields: readonly string[],
  columns: Columns,
  fieldIndexes: readonly number[],
): Row<Columns> | null {
  const row: Record<string, number | string> = {}
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!
    const field = fields[fieldIndexes[i]!] ?? ''
    if (isTextColumn(column)) row[column] = field
    else if (field === '' || field === 'NaN') row[column] = Number.NaN
    else if (Number.isNaN(Number(field))) return null
    else row[column] = Number(field)
  }
  return row as Row<Columns>
}

const mostEpochs = 1024

/**
 * Returns the rows of a table. If it has more than 1,024 epochs, the rows are those of every 2nd, 4th,
 * 8th, … epoch and of the last one, the same epochs in all runs of a length, so that memory stays bounded.
 */
export function thinnedRows<Columns extends readonly ['epoch', ...(readonly string[])]>(
  content: Buffer | undefined,
  file: string,
  columns: Columns,
): readonly Row<Columns>[] {
  const last = content === undefined ? 0 : lastEpochIn(content)
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, (last + 1) / mostEpochs)))
  const rows: Row<Columns>[] = []
  for (const row of tableRows(content, file, columns)) {
    const { epoch } = row as { readonly epoch: number }
    if (epoch % step === 0 || epoch === last) rows.push(row)
  }
  return rows
}

function lastEpochIn(content: Buffer): number {
  const end = content.lastIndexOf(newline)
  const line = content.toString('latin1', content.lastIndexOf(newline, end - 1) + 1, end)
  return Number(line.split(',')[0]) || 0
}
