import { createObjectCsvStringifier } from 'csv-writer'
import { EigenaeError } from '../errors.js'
import { readFirstBytes, readIfPresent, sizeLimits } from '../files/read.js'
import { appendWhole, syncFile, writeDurably } from '../files/write.js'
import type { TableName } from './files.js'
import { type FileSum, RunningSum } from './integrity.js'
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

export function isTextColumn(column: string): column is TextColumn {
  return (textColumns as readonly string[]).includes(column)
}

/** One value per column; NaN if a number was not measured, which is an empty field in the file. */
export type Row<Columns extends readonly string[]> = {
  readonly [Column in Columns[number]]: Column extends TextColumn ? string : number
}
export type MetricsRow = Row<typeof metricsColumns>
export type TimingsRow = Row<typeof timingsColumns>
export type SpectrumRow = Row<typeof spectrumColumns>
export type LayersRow = Row<typeof layersColumns>
export type LossesRow = Row<typeof lossesColumns>

/** A CSV file that grows by the rows of an epoch and can be truncated to an earlier epoch. */
export class EpochTable<Columns extends readonly string[]> {
  readonly #file: string
  readonly #csv: ReturnType<typeof createObjectCsvStringifier>
  #sum = new RunningSum()

  constructor(file: string, columns: Columns) {
    this.#file = file
    this.#csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  }

  /** Length and SHA-256 of the header and all rows as they were written. */
  get sum(): FileSum {
    return this.#sum.current()
  }

  /** Replaces the file by one with the header only. */
  start(): Promise<void> {
    return this.#replace(this.#csv.getHeaderString() ?? '')
  }

  /** Appends rows without syncing them; on failure the file has its earlier size again. */
  async append(rows: readonly Row<Columns>[]): Promise<void> {
    if (rows.length === 0) return // csv-writer would write an empty line
    const text = this.#csv.stringifyRecords(rows.map(withEmptyFields))
    await appendWhole(this.#file, text)
    this.#sum.add(text)
  }

  /** Returns once all rows would survive a loss of power. */
  sync(): Promise<void> {
    return syncFile(this.#file)
  }

  /** Truncates the file to the given number of bytes. */
  async truncate(bytes: number): Promise<void> {
    const content = readIfPresent(this.#file, sizeLimits.table) ?? Buffer.alloc(0)
    if (content.length !== bytes) return this.#replace(content.subarray(0, bytes))
    this.#startSum(content)
  }

  async #replace(content: string | Uint8Array): Promise<void> {
    await writeDurably(this.#file, content)
    this.#startSum(content)
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

/** The rows that a table should hold up to an epoch. */
export interface ExpectedRows {
  readonly columns: readonly string[]
  readonly firstEpoch: number
  readonly lastEpoch: number
  readonly rowsPerEpoch: number
}

/**
 * Returns the length in bytes of a table up to an epoch, or why the table is damaged. For runs of version 0.1.0, whose
 * checkpoints hold no checksums of the tables.
 * @throws EigenaeError if its columns are those of another version.
 */
export function bytesUpTo(file: string, expected: ExpectedRows): number | string {
  const content = readIfPresent(file, sizeLimits.table)
  if (content === undefined) return 'is missing'
  const { columns, firstEpoch, lastEpoch, rowsPerEpoch } = expected
  const header = columns.join(',')
  const lines = wholeLines(content)
  if (lines.next().value !== header) throw ofOtherVersion(file)
  let bytes = header.length + 1
  const counts = new Map<number, number>()
  for (const line of lines) {
    const epoch = epochOf(line)
    if (!(epoch <= lastEpoch)) break
    counts.set(epoch, (counts.get(epoch) ?? 0) + 1)
    bytes += Buffer.byteLength(line) + 1
  }
  for (let epoch = firstEpoch; epoch <= lastEpoch; epoch++) {
    const found = counts.get(epoch) ?? 0
    if (found !== rowsPerEpoch) return `has ${found} rows for epoch ${epoch}, the run wrote ${rowsPerEpoch}`
  }
  return bytes
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

function epochOf(line: string): number {
  return Number(line.slice(0, line.indexOf(',')))
}

/** @throws EigenaeError if a table does not have the columns of this version. */
export function requireColumns(file: string, name: TableName): void {
  const header = `${tableColumns[name].join(',')}\n`
  if (readFirstBytes(file, header.length)?.toString('utf8') !== header) throw ofOtherVersion(file)
}

export function ofOtherVersion(file: string): EigenaeError {
  return new EigenaeError({
    problem: 'its columns are not those of this version of eigenae',
    subject: file,
    hint: 'Resume with the version that started the run, or start over with --overwrite.',
  })
}
