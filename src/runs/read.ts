import { z } from 'zod'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { type Damage, damagedRun, remakeHint } from './damage.js'
import { accuraciesIn, type RunAccuracies } from './evaluation.js'
import { type RunFiles, runFiles } from './files.js'
import { type Inspection, inspectRun, type RunContents } from './inspect.js'
import { KeptEpochs } from './kept-epochs.js'
import type { RunRecord, RunStatus } from './record.js'
import { type MetricsRow, metricsColumns, type Row, type SpectrumRow, spectrumColumns } from './tables.js'

/** A run folder as others read it. */
export interface Run {
  readonly folder: string
  readonly record: RunRecord
  /**
   * `record.status`, but "interrupted" if it says running and its process is gone (kill -9, a crash), and "damaged" if
   * a file is not what the run wrote.
   */
  readonly status: RunStatus | 'damaged'
  readonly damage: readonly Damage[]
  /** One row an epoch trained. */
  readonly metrics: readonly MetricsRow[]
}

/** Everything in a run folder but the model. */
export interface WholeRun extends Run, RunAccuracies {
  readonly status: RunStatus
  readonly config: Config
  /** d rows an epoch, from before training on; of long runs only of some epochs, the first and the last among them. */
  readonly spectrum: readonly SpectrumRow[]
  /** The number of rows in spectrum.csv. */
  readonly spectrumRows: number
}

/** @throws EigenaeError if run.json cannot be read, or the metrics of a run without checksums. */
export async function readRun(folder: string): Promise<Run> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  if (damage.length === 0) return { folder, record, status, damage, metrics: metricsIn(files, contents) }
  const isUnknown = damage.some(({ file }) => ['run.json', 'config.json', 'metrics.csv'].includes(file))
  return { folder, record, status: 'damaged', damage, metrics: isUnknown ? [] : metricsIn(files, contents) }
}

type InspectionWithStatus = Inspection & { readonly status: RunStatus }

async function inspectWithStatus(files: RunFiles): Promise<InspectionWithStatus> {
  const inspection = inspectRun(files, 'tables')
  const { status } = inspection.record
  if (status !== 'running' || (await isLocked(files.lock))) return { ...inspection, status }
  // Between the two it may have come to its end.
  const again = inspectRun(files, 'tables')
  return { ...again, status: again.record.status === 'running' ? 'interrupted' : again.record.status }
}

/** @throws EigenaeError if the run is damaged. */
export async function readWholeRun(folder: string): Promise<WholeRun> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  if (damage.length > 0) throw damagedRun(folder, damage)
  const spectrum = keptSpectrum(contents['spectrum.csv'], files.spectrum)
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
    ...accuraciesIn(evaluation),
  }
}

function metricsIn(files: RunFiles, contents: RunContents): readonly MetricsRow[] {
  return [...tableRows(contents['metrics.csv'], files.metrics, metricsColumns)]
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
function configIn(content: Buffer, file: string): Config {
  const value: unknown = JSON.parse(content.toString('utf8'))
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const foreign = foreignConfigSchema.safeParse(value)
  if (foreign.success) return value as Config
  const { path, message } = foreign.error.issues[0]!
  const what = `this is not the config of a run: ${[path.join('.'), message].filter(Boolean).join(': ')}`
  throw new EigenaeError({ problem: what, subject: file, cause: foreign.error })
}

/** Empty if the run has not written one yet. */
export function readMetrics(file: string): readonly MetricsRow[] {
  return [...tableRows(readIfPresent(file, sizeLimits.table), file, metricsColumns)]
}

function keptSpectrum(content: Buffer | undefined, file: string) {
  const kept = new KeptEpochs<SpectrumRow>()
  let count = 0
  for (const row of tableRows(content, file, spectrumColumns)) {
    kept.add(row)
    count++
  }
  return { rows: kept.rows, count }
}

/**
 * Parses a table by the names of its columns: those of another version are left out, and those that it lacks are NaN. A
 * row that is being written, the last one without its newline, is left out.
 */
function* tableRows<Columns extends readonly string[]>(
  content: Buffer | undefined,
  file: string,
  columns: Columns,
): Generator<Row<Columns>> {
  const lines = wholeLines(content?.toString('utf8') ?? '')
  const { value: header } = lines.next()
  if (header === undefined) return
  const written = header.split(',')
  if (written[0] !== columns[0]) {
    throw new EigenaeError({
      problem: `its columns are not ${columns.join(',')}`,
      subject: file,
      hint: remakeHint,
    })
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
  return new EigenaeError({ problem: what, subject: `${file}:${line}`, hint: remakeHint })
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
