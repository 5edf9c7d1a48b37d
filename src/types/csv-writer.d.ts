/** The part of csv-writer that this project uses. Its own types are sources that do not compile under a strict config. */
export interface ObjectCsvWriterParams {
  readonly path: string
  readonly header: readonly { readonly id: string; readonly title: string }[]
  readonly append: boolean
}

export interface ObjectCsvStringifier {
  /** The header line with its newline. */
  getHeaderString(): string | null
  /** One line per record, each with its newline. */
  stringifyRecords(records: Iterable<object>): string
}

export interface CsvWriter {
  writeRecords(records: readonly object[]): Promise<void>
}

export function createObjectCsvStringifier(
  params: Pick<ObjectCsvWriterParams, 'header'>,
): ObjectCsvStringifier
export function createObjectCsvWriter(params: ObjectCsvWriterParams): CsvWriter
