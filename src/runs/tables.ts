import { createObjectCsvStringifier } from 'csv-writer'
import { EigenaeError } from '../errors.js'
import { appendWhole } from '../files/append.js'
import { readTextIfPresent, sizeLimits } from '../files/read.js'
import { syncFile, writeDurably } from '../files/write.js'
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

/** A row has one number a column. */
export type Row<Columns extends readonly string[]> = Readonly<Record<Columns[number], number>>
export type MetricsRow = Row<typeof metricsColumns>
export type SpectrumRow = Row<typeof spectrumColumns>

/** A CSV file whose rows come epoch by epoch, and which can be cut back to an epoch. */
export class EpochTable<Columns extends readonly string[]> {
  readonly #file: string
  readonly #header: readonly { readonly id: string; readonly title: string }[]

  constructor(file: string, columns: Columns) {
    this.#file = file
    this.#header = columns.map((id) => ({ id, title: id }))
  }

  /** Writes the file anew, with nothing but the header. */
  async start(): Promise<void> {
    await writeDurably(this.#file, this.#headerLine())
  }

  /** Adds rows; removes them again if the write fails in the middle. They are not synced yet: `sync` does that. */
  async append(rows: readonly Row<Columns>[]): Promise<void> {
    await appendWhole(this.#file, this.#stringifier().stringifyRecords(rows))
  }

  /** Returns once all rows would survive a loss of power. */
  sync(): Promise<void> {
    return syncFile(this.#file)
  }

  /**
   * Drops what comes after an epoch, a half-written row included.
   * @throws EigenaeError where an epoch from `first` to `last` has not `rowsAnEpoch` rows: the file was changed.
   */
  async cutBack(first: number, last: number, rowsAnEpoch: number): Promise<void> {
    const text = readTextIfPresent(this.#file, sizeLimits.table)
    if (text === undefined) throw this.#missing()
    const [header, ...lines] = text.split('\n').slice(0, -1)
    if (`${header}\n` !== this.#headerLine()) throw this.#ofOthers()
    const kept = lines.filter((line) => epochOf(line) <= last)
    const counts = new Map<number, number>()
    for (const epoch of kept.map(epochOf)) counts.set(epoch, (counts.get(epoch) ?? 0) + 1)
    for (let epoch = first; epoch <= last; epoch++) {
      const found = counts.get(epoch) ?? 0
      if (found !== rowsAnEpoch) throw this.#changed(epoch, found, rowsAnEpoch)
    }
    const content = [this.#headerLine(), ...kept.map((line) => `${line}\n`)].join('')
    if (content !== text) await writeDurably(this.#file, content)
  }

  #stringifier() {
    return createObjectCsvStringifier({ header: this.#header })
  }

  #headerLine(): string {
    return this.#stringifier().getHeaderString() ?? ''
  }

  #missing(): EigenaeError {
    return new EigenaeError({
      what: 'does not exist',
      where: this.#file,
      hint: 'Restore the file, or start the run again with --overwrite.',
    })
  }

  #ofOthers(): EigenaeError {
    return new EigenaeError({
      what: 'its columns are not those of this version of eigenae',
      where: this.#file,
      hint: 'Go on with the version that began the run, or start it again with --overwrite.',
    })
  }

  #changed(epoch: number, found: number, expected: number): EigenaeError {
    return new EigenaeError({
      what: `has ${found} rows of epoch ${epoch}, the checkpoint's run wrote ${expected}`,
      where: this.#file,
      hint: 'The file was changed from outside. Start the run again with --overwrite.',
    })
  }
}

function epochOf(line: string): number {
  return Number(line.slice(0, line.indexOf(',')))
}
