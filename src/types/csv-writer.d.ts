/** What this project calls of csv-writer: the package's own types are sources that a strict config cannot compile. */
export interface ObjectCsvWriterParams {
  readonly path: string
  readonly header: readonly { readonly id: string; readonly title: string }[]
  readonly append: boolean
}

export interface ObjectCsvStringifier {
  /** The header line with its newline. */
  getHeaderString(): string | null
  /** A line a record, each with its newline. */
  stringifyRecords(records: Iterable<object>): string
}

export interface CsvWriter {
  writeRecords(records: readonly object[]): Promise<void>
}

export function createObjectCsvStringifier(
  params: Pick<ObjectCsvWriterParams, 'header'>,
): ObjectCsvStringifier
export function createObjectCsvWriter(params: ObjectCsvWriterParams): CsvWriter
