import { dirname, resolve } from 'node:path'
import { sampleEvenly } from '../../comparison/series.js'
import { EigenaeError, firstLine } from '../../errors.js'
import { modificationOf, readLastText } from '../../files/read.js'
import { loggedError } from '../../launchers/attempt.js'
import { type RunFiles, runFiles } from '../../runs/files.js'
import { damageText } from '../../runs/integrity.js'
import { metricOf } from '../../runs/metrics.js'
import { type Run, readRun, readWholeRun, type WholeRun } from '../../runs/read.js'
import { planFile } from '../../runs/sweep-plan.js'
import { timingsColumns } from '../../runs/tables.js'
import { historyLength, type RunRow } from './state.js'

/** A run folder as it was read last. */
export interface ReadRun {
  readonly row: RunRow
  /** Null if the run is damaged. It has only the last epoch's spectrum, so that thousands of runs fit into memory. */
  readonly run: WholeRun | null
  readonly error: EigenaeError | null
}

/**
 * Returns a text that changes when the files of a run or its sweep's plan do. The checkpoint is one of them because rows of metrics.csv count
 * only once it is written.
 */
export function fingerprintOf(folder: string): string {
  const { record, metrics, checkpoint } = runFiles(folder)
  // A new plan may make a run that of another folder.
  const plan = planFile(dirname(dirname(resolve(folder))))
  return [record, metrics, checkpoint, plan].map(modificationOf).join(' ')
}

/** Reads a run; never fails, because a run may be removed or unreadable at any time. */
export async function readRunRow(folder: string, name: string): Promise<ReadRun> {
  try {
    const run = await readWholeRun(folder)
    return { row: rowOf(run, name), run: withLastSpectrum(run), error: null }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return { row: await damagedRow(folder, name, error), run: null, error }
  }
}

async function damagedRow(folder: string, name: string, error: EigenaeError): Promise<RunRow> {
  try {
    const run = await readRun(folder)
    // The run may have been repaired since.
    return {
      ...rowOf(run, name),
      status: 'damaged',
      reason: run.damage.map(damageText).join('; ') || firstLine(error),
    }
  } catch (again) {
    return { ...waitingRow(name), status: 'damaged', reason: firstLine(again) }
  }
}

function withLastSpectrum(run: WholeRun): WholeRun {
  const last = run.spectrum.at(-1)?.epoch
  return { ...run, spectrum: run.spectrum.filter(({ epoch }) => epoch === last) }
}

export function waitingRow(name: string): RunRow {
  return {
    name,
    status: 'waiting',
    epoch: 0,
    epochs: null,
    secondsPerEpoch: null,
    seconds: null,
    testMse: null,
    effectiveRank: null,
    history: [],
    reason: null,
  }
}

/** Returns the row of a planned run without run.json; "failed" if its log ends with an error. */
export function unbegunRow(folder: string, name: string): RunRow {
  const error = loggedError(folder)
  return error === null ? waitingRow(name) : { ...waitingRow(name), status: 'failed', reason: error }
}

function rowOf(run: Run, name: string): RunRow {
  const { record, status, metrics } = run
  const isComplete = record.status === 'completed'
  return {
    name,
    status,
    epoch: metrics.at(-1)?.epoch ?? 0,
    epochs: record.epochs,
    secondsPerEpoch: secondsPerEpoch(runFiles(run.folder)),
    seconds: isComplete ? (Date.parse(record.ended) - Date.parse(record.started)) / 1000 : null,
    testMse: metricOf(run, 'test_mse'),
    effectiveRank: metricOf(run, 'effective_rank'),
    history: sampleEvenly(metrics, historyLength).map(({ test_mse }) => Number(test_mse.toPrecision(5))),
    reason: reasonOf(run),
  }
}

function reasonOf({ folder, record, status }: Run): string | null {
  if (record.status === 'failed') return record.error
  if (status !== 'interrupted') return null
  if (record.status === 'interrupted') return 'stopped by Ctrl-C or a signal'
  return loggedError(folder) ?? 'its process is gone: it was killed, or the machine has restarted'
}

// The rows of some ten epochs.
const timingsBytes = 1024
const averagedEpochs = 5

/** Returns the mean time of the last epochs; null before the first one. */
function secondsPerEpoch({ timings }: RunFiles): number | null {
  const rows = timingRows(timings).slice(-averagedEpochs)
  if (rows.length === 0) return null
  return rows.reduce((sum, [, train, evaluation]) => sum + train! + evaluation!, 0) / rows.length
}

/** Returns the last whole rows of timings.csv. */
function timingRows(file: string): readonly (readonly number[])[] {
  try {
    const lines = (readLastText(file, timingsBytes) ?? '').split('\n').slice(0, -1)
    const rows = lines.map((line) => line.split(',').map(Number))
    return rows.filter((row) => row.length === timingsColumns.length && row.every(Number.isFinite))
  } catch {
    return []
  }
}
