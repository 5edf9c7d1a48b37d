import { z } from 'zod'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { accuraciesIn } from './evaluation.js'
import { type RunFiles, runFiles } from './files.js'
import { type Inspection, inspectRun, type RunContents } from './inspect.js'
import { type Damage, damagedRun, remakeHint } from './integrity.js'
import { type KnownAccuracies, optionalMetrics } from './metrics.js'
import { noNotes, type RunNotes, readNotes } from './notes.js'
import type { RunRecord, RunStatus } from './record.js'
import {
  isTextColumn,
  type LayersRow,
  type LossesRow,
  layersColumns,
  lossesColumns,
  type MetricsRow,
  metricsColumns,
  type Row,
  type SpectrumRow,
  spectrumColumns,
  type TimingsRow,
  timingsColumns,
  wholeLines,
} from './tables.js'

/** A run folder as the commands read it. */
export interface Run extends KnownAccuracies {
  readonly folder: string
  readonly record: RunRecord
  /**
   * `record.status`, except that a run which is recorded as running but whose process is gone (kill -9, a crash) is
   * "interrupted", and a run with a changed or missing file is "damaged".
   */
  readonly status: RunStatus | 'damaged'
  readonly damage: readonly Damage[]
  /** Null if the run is damaged, or its config is not one that this version can read. */
  readonly config: Config | null
  /** One row per trained epoch. */
  readonly metrics: readonly MetricsRow[]
  /** The user's tags and note. None if notes.json is damaged, which does not damage the run. */
  readonly notes: RunNotes
  /** Why notes.json cannot be read; null if it can. */
  readonly notesError: EigenaeError | null
}

/** Everything in a run folder but the model. */
export interface WholeRun extends Run {
  readonly status: RunStatus
  readonly config: Config
  /** d rows per epoch, from epoch 0 (before training) on. Long runs have only some epochs, see `KeptEpochs`. */
  readonly spectrum: readonly SpectrumRow[]
  /** A row per hidden layer and epoch, from epoch 0 on, for the same epochs; empty in runs of version 0.2.0 and earlier. */
  readonly layers: readonly LayersRow[]
  /** A row per eigen loss and trained epoch, for the same epochs; empty in runs of version 0.2.0 and earlier. */
  readonly losses: readonly LossesRow[]
  /** The number of rows in spectrum.csv. */
  readonly spectrumRows: number
}

/** @throws EigenaeError if run.json cannot be read, or the metrics of a run without checksums. */
export async function readRun(folder: string): Promise<Run> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  if (damage.length === 0)
    return {
      folder,
      record,
      status,
      damage,
      config: configIfKnown(contents['config.json']!, files.config),
      metrics: metricsIn(files, contents),
      ...accuraciesIn(contents['evaluation.json']),
      ...notesIn(files),
    }
  const isUnknown = damage.some(({ file }) => ['run.json', 'config.json', 'metrics.csv'].includes(file))
  return {
    folder,
    record,
    status: 'damaged',
    damage,
    config: null,
    metrics: isUnknown ? [] : metricsIn(files, contents),
    ...accuraciesIn(undefined),
    ...notesIn(files),
  }
}

type InspectionWithStatus = Inspection & { readonly status: RunStatus }

async function inspectWithStatus(files: RunFiles): Promise<InspectionWithStatus> {
  const inspection = inspectRun(files, 'tables')
  const { status } = inspection.record
  if (status !== 'running' || (await isLocked(files.lock))) return { ...inspection, status }
  // The run may have ended after run.json was read and before the lock was.
  const again = inspectRun(files, 'tables')
  return { ...again, status: again.record.status === 'running' ? 'interrupted' : again.record.status }
}

/** @throws EigenaeError if the run is damaged. */
export async function readWholeRun(folder: string): Promise<WholeRun> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  if (damage.length > 0) throw damagedRun(folder, damage)
  const spectrum = keptRows(contents['spectrum.csv'], files.spectrum, spectrumColumns)
  const evaluation = contents['evaluation.json']
  return {
    folder,
    record,
    status,
    damage,
    metrics: metricsIn(files, contents),
    config: configIn(contents['config.json']!, files.config),
    spectrum: spectrum.rows,
    spectrumRows: spectrum.count,
    layers: keptRows(contents['layers.csv'], files.layers, layersColumns).rows,
    losses: keptRows(contents['losses.csv'], files.losses, lossesColumns).rows,
    ...accuraciesIn(evaluation),
    ...notesIn(files),
  }
}

function notesIn({ notes }: RunFiles): Pick<Run, 'notes' | 'notesError'> {
  try {
    return { notes: readNotes(notes), notesError: null }
  } catch (error) {
    if (error instanceof EigenaeError) return { notes: noNotes, notesError: error }
    throw error
  }
}

function metricsIn(files: RunFiles, contents: RunContents): readonly MetricsRow[] {
  return [...tableRows(contents['metrics.csv'], files.metrics, metricsColumns)]
}

/** The fields that readers need in a config of another version, which this version cannot train. */
const foreignConfigSchema = z.looseObject({
  name: z.string(),
  model: z.looseObject({ widths: z.array(z.int()).min(1) }),
  loss: z.looseObject({ eigen: z.looseObject({ kind: z.string() }).nullable() }),
  data: z.looseObject({}),
  train: z.looseObject({}),
  spectrum: z.looseObject({}),
})

/** Returns the config with defaults for fields that are newer than the run. Unknown fields are kept. */
function configIn(content: Buffer, file: string): Config {
  const value: unknown = JSON.parse(content.toString('utf8'))
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const foreign = foreignConfigSchema.safeParse(value)
  if (foreign.success) return value as Config
  const { path, message } = foreign.error.issues[0]!
  const problem = `this is not the config of a run: ${[path.join('.'), message].filter(Boolean).join(': ')}`
  throw new EigenaeError({ problem, subject: file, cause: foreign.error })
}

function configIfKnown(content: Buffer, file: string): Config | null {
  try {
    return configIn(content, file)
  } catch (error) {
    if (error instanceof EigenaeError) return null
    throw error
  }
}

/** Returns the rows of metrics.csv; empty if the file does not exist. */
export function readMetrics(file: string): readonly MetricsRow[] {
  return [...tableRows(readIfPresent(file, sizeLimits.table), file, metricsColumns)]
}

/** Returns the rows of timings.csv; empty if the file does not exist. */
export function readTimings(file: string): readonly TimingsRow[] {
  return [...tableRows(readIfPresent(file, sizeLimits.table), file, timingsColumns)]
}

function keptRows<Columns extends readonly string[]>(
  content: Buffer | undefined,
  file: string,
  columns: Columns,
) {
  const kept = new KeptEpochs<Row<Columns> & { readonly epoch: number }>()
  let count = 0
  for (const row of tableRows(content, file, columns)) {
    kept.add(row as Row<Columns> & { readonly epoch: number })
    count++
  }
  return { rows: kept.rows, count }
}

/**
 * Parses a table by the names of its columns. Unknown columns are dropped, missing ones are NaN. The last line is
 * skipped if it lacks its newline, because it is still being written.
 */
function* tableRows<Columns extends readonly string[]>(
  content: Buffer | undefined,
  file: string,
  columns: Columns,
): Generator<Row<Columns>> {
  const lines = wholeLines(content ?? Buffer.alloc(0))
  const { value: header } = lines.next()
  if (header === undefined) return
  const written = withoutReturn(header).split(',')
  if (written[0] !== columns[0]) {
    throw new EigenaeError({
      problem: `its columns are not ${columns.join(',')}`,
      subject: file,
      hint: remakeHint,
    })
  }
  const fieldIndexes = columns.map((column) => written.indexOf(column))
  let number = 1
  for (const line of lines) {
    number++
    const fields = withoutReturn(line).split(',')
    const row = fields.length === written.length ? parseFields(fields, columns, fieldIndexes) : null
    if (row === null) throw notARow(file, number, written.length)
    yield row
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

/** The columns that may be empty in the tables without text. */
const mayBeEmpty: ReadonlySet<string> = new Set([...optionalMetrics, 'train_eigen'])
/** The columns that may be empty in layers.csv and losses.csv. */
const mayBeEmptyBesideText: ReadonlySet<string> = new Set(['effective_rank', 'value'])

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
  const optional = columns.some(isTextColumn) ? mayBeEmptyBesideText : mayBeEmpty
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!
    const field = fields[fieldIndexes[i]!] ?? 'NaN'
    const value = Number(field)
    const isMissing = field === '' && !optional.has(column)
    if (isTextColumn(column)) row[column] = field
    else if (isMissing || (Number.isNaN(value) && field !== 'NaN')) return null
    else row[column] = field === '' ? Number.NaN : value
  }
  return row as Row<Columns>
}

function notARow(file: string, line: number, count: number): EigenaeError {
  const problem = `is not a row of ${count} numbers`
  return new EigenaeError({ problem, subject: `${file}:${line}`, hint: remakeHint })
}

/**
 * Collects the rows of a table, of at most 1,024 epochs and the last one. Longer tables keep only every 2nd, 4th, 8th,
 * … epoch, the same epochs in all runs of a length, so that memory stays bounded.
 */
export class KeptEpochs<Row extends { readonly epoch: number }> {
  #kept: Row[] = []
  /** The rows of the epoch that is being read, unless they are in `#kept`. */
  #latest: Row[] = []
  #keptEpochs = 0
  #lastKept = -1
  #step = 1

  add(row: Row): void {
    if (row.epoch % this.#step !== 0) {
      if (this.#latest[0]?.epoch !== row.epoch) this.#latest = []
      this.#latest.push(row)
      return
    }
    this.#latest = []
    this.#kept.push(row)
    if (row.epoch === this.#lastKept) return
    this.#lastKept = row.epoch
    this.#keptEpochs++
    if (this.#keptEpochs > 1024) this.#halve()
  }

  get rows(): readonly Row[] {
    return [...this.#kept, ...this.#latest]
  }

  #halve(): void {
    this.#step *= 2
    const before = this.#kept
    this.#kept = before.filter(({ epoch }) => epoch % this.#step === 0)
    this.#latest = before.filter(({ epoch }) => epoch === this.#lastKept && epoch % this.#step !== 0)
    this.#keptEpochs = new Set(this.#kept.map(({ epoch }) => epoch)).size
  }
}

// Below the lowest usual limit of open files (macOS: 256).
const maximumAtOnce = 64

/** Reads many run folders, some of them at once. The result has the order of `folders`. */
export async function readRuns<T>(
  folders: readonly string[],
  read: (folder: string) => Promise<T>,
): Promise<readonly T[]> {
  const runs = new Array<T>(folders.length)
  const indexes = folders.keys()
  const worker = async () => {
    for (const index of indexes) runs[index] = await read(folders[index]!)
  }
  await Promise.all(Array.from({ length: maximumAtOnce }, worker))
  return runs
}
