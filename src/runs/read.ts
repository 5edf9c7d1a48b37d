import { z } from 'zod'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { readJsonIfPresent, readTextIfPresent, sizeLimits } from '../files/read.js'
import { readProbe } from './evaluation.js'
import { type RunFiles, runFiles } from './files.js'
import { KeptEpochs } from './kept-epochs.js'
import { type RunRecord, type RunStatus, readRecord } from './record.js'
import { type MetricsRow, metricsColumns, type Row, type SpectrumRow, spectrumColumns } from './tables.js'

/** A run folder as others read it. */
export interface Run {
  readonly folder: string
  readonly record: RunRecord
  /** `record.status`, but "interrupted" where it says running and its process is gone (kill -9, a crash). */
  readonly status: RunStatus
  /** One row an epoch trained. */
  readonly metrics: readonly MetricsRow[]
}

/** Everything in a run folder but the model. */
export interface WholeRun extends Run {
  readonly config: Config
  /** d rows an epoch, from before training on; of long runs only of some epochs, the first and the last among them. */
  readonly spectrum: readonly SpectrumRow[]
  /** The number of rows in spectrum.csv. */
  readonly spectrumRows: number
  /** Null where the run has not come to its end. */
  readonly linearProbeAccuracy: number | null
}

export async function readRun(folder: string): Promise<Run> {
  const files = runFiles(folder)
  return {
    folder,
    ...(await readStatus(files)),
    metrics: await readMetrics(files.metrics),
  }
}

async function readStatus(files: RunFiles): Promise<Pick<Run, 'record' | 'status'>> {
  const record = await readRecord(files.record)
  if (record.status !== 'running' || (await isLocked(files.lock))) return { record, status: record.status }
  // Between the two it may have come to its end.
  const again = await readRecord(files.record)
  return { record: again, status: again.status === 'running' ? 'interrupted' : again.status }
}

export async function readWholeRun(folder: string): Promise<WholeRun> {
  const files = runFiles(folder)
  const run = await readRun(folder)
  const spectrum = keptSpectrum(files.spectrum)
  return {
    ...run,
    config: readConfig(files.config),
    spectrum: spectrum.rows,
    spectrumRows: spectrum.count,
    linearProbeAccuracy: readProbe(files.evaluation),
  }
}

/** What readers rely on in a config that this version would not train. */
const foreignConfigSchema = z.looseObject({
  name: z.string(),
  model: z.looseObject({ widths: z.array(z.int()).min(1) }),
  loss: z.looseObject({ eigen: z.looseObject({ kind: z.string() }).nullable() }),
  data: z.looseObject({}),
  train: z.looseObject({}),
  spectrum: z.looseObject({}),
})

/** With the defaults of fields that came after the run was made; fields of another version are kept. */
function readConfig(file: string): Config {
  const value = readJsonIfPresent(file)
  if (value === undefined)
    throw new EigenaeError({ what: 'is missing: the folder holds a run without its config', where: file })
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const foreign = foreignConfigSchema.safeParse(value)
  if (foreign.success) return value as Config
  const { path, message } = foreign.error.issues[0]!
  const what = `this is not the config of a run: ${[path.join('.'), message].filter(Boolean).join(': ')}`
  throw new EigenaeError({ what, where: file, cause: foreign.error })
}

const restore = 'The file was changed from outside: restore it, or train the run again with --overwrite.'

/** Empty if the run has not written one yet. */
export async function readMetrics(file: string): Promise<readonly MetricsRow[]> {
  return [...tableRows(file, metricsColumns)]
}

export async function readSpectrum(file: string): Promise<readonly SpectrumRow[]> {
  return [...tableRows(file, spectrumColumns)]
}

function keptSpectrum(file: string) {
  const kept = new KeptEpochs<SpectrumRow>()
  let count = 0
  for (const row of tableRows(file, spectrumColumns)) {
    kept.add(row)
    count++
  }
  return { rows: kept.rows, count }
}

/**
 * Reads a table by the names of its columns: those of another version are left out, and those that it lacks are NaN. A
 * row that is being written, the last one without its newline, is left out.
 */
function* tableRows<Columns extends readonly string[]>(
  file: string,
  columns: Columns,
): Generator<Row<Columns>> {
  const lines = wholeLines(readTextIfPresent(file, sizeLimits.table) ?? '')
  const { value: header } = lines.next()
  if (header === undefined) return
  const written = header.split(',')
  if (written[0] !== columns[0]) {
    throw new EigenaeError({ what: `its columns are not ${columns.join(',')}`, where: file, hint: restore })
  }
  const places = columns.map((column) => written.indexOf(column))
  let number = 1
  for (const line of lines) {
    number++
    const fields = line.split(',')
    const row = fields.length === written.length ? parseNumbers(fields, columns, places) : null
    if (row === null) throw notARow(file, number, written.length)
    yield row
  }
}

/** The lines of a text that end with a newline, one after the other: a long table has millions. */
function* wholeLines(text: string): Generator<string, undefined> {
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    yield text.slice(start, text[end - 1] === '\r' ? end - 1 : end)
    start = end + 1
  }
}

/**
 * Of plain numbers, as runs are written: ten times as fast as a reader of any CSV. A column's place is −1 where the file
 * has none. Null where a field is no number.
 */
function parseNumbers<Columns extends readonly string[]>(
  fields: readonly string[],
  columns: Columns,
  places: readonly number[],
): Row<Columns> | null {
  const row: Record<string, number> = {}
  for (let i = 0; i < columns.length; i++) {
    const field = fields[places[i]!] ?? 'NaN'
    const value = Number(field)
    if (field === '' || (Number.isNaN(value) && field !== 'NaN')) return null
    row[columns[i]!] = value
  }
  return row as Row<Columns>
}

function notARow(file: string, line: number, count: number): EigenaeError {
  const what = `is not a row of ${count} numbers`
  return new EigenaeError({ what, where: `${file}:${line}`, hint: restore })
}

// Under the number of files that a process may have open where the limit is low (macOS: 256).
const atOnce = 64

/** Reads many run folders, some at once, in the folders' order. */
export async function readRuns<T>(
  folders: readonly string[],
  read: (folder: string) => Promise<T>,
): Promise<readonly T[]> {
  const runs = new Array<T>(folders.length)
  const places = folders.keys()
  const worker = async () => {
    for (const place of places) runs[place] = await read(folders[place]!)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return runs
}
