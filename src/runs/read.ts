import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { EigenaeError, fileError, hasCode, withFileErrors } from '../errors.js'
import { runFiles } from './files.js'
import { isLocked } from './lock.js'
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

export async function readRun(folder: string): Promise<Run> {
  const files = runFiles(folder)
  const record = await readRecord(files.record)
  const alive = record.status !== 'running' || (await isLocked(files.lock))
  return {
    folder,
    record,
    status: alive ? record.status : 'interrupted',
    metrics: await readMetrics(files.metrics),
  }
}

/** Empty where the run has not written one yet. */
export function readMetrics(file: string): Promise<readonly MetricsRow[]> {
  return readTable(file, metricsColumns)
}

export function readSpectrum(file: string): Promise<readonly SpectrumRow[]> {
  return readTable(file, spectrumColumns)
}

/** A row that is being written, the last one without its newline, is left out. */
async function readTable<Columns extends readonly string[]>(
  file: string,
  columns: Columns,
): Promise<Row<Columns>[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return ''
    throw fileError('read', file, error)
  })
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const [header = [], ...rows] = parseCsv(whole, file)
  if (whole !== '' && columns.some((column, place) => header[place] !== column)) {
    throw new EigenaeError({ what: `its columns are not ${columns.join(',')}`, where: file })
  }
  return rows.map(
    (row) => Object.fromEntries(columns.map((column, place) => [column, Number(row[place])])) as Row<Columns>,
  )
}

function parseCsv(text: string, file: string): string[][] {
  try {
    return parse(text)
  } catch (cause) {
    throw new EigenaeError({ what: `is not valid CSV: ${(cause as Error).message}`, where: file, cause })
  }
}

/** The run folders at or under a folder, in the order of their names; not looking inside a run. */
export async function findRunFolders(folder: string): Promise<readonly string[]> {
  const entries = await withFileErrors('read the folder', folder, () =>
    readdir(folder, { withFileTypes: true }),
  )
  if (entries.some((entry) => entry.name === 'run.json')) return [folder]
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  const inOrder = folders.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return (await Promise.all(inOrder.map((name) => findRunFolders(join(folder, name))))).flat()
}
