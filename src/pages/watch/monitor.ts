/**
 * Follows all runs in a folder by the times of their files alone: nothing is asked of the trainings, and they may run on
 * other machines. A pass looks at every folder; between two passes, the running runs are looked at more often.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { sampleEvenly } from '../../comparison/series.js'
import { EigenaeError, exitCode, fileError, firstLine, hasCode, knownError } from '../../errors.js'
import { isLocked } from '../../files/lock.js'
import { modificationOf } from '../../files/read.js'
import { loggedError } from '../../launchers/attempt.js'
import { runFiles } from '../../runs/files.js'
import { findRuns } from '../../runs/find.js'
import { damageText } from '../../runs/integrity.js'
import { metricOf } from '../../runs/metrics.js'
import { type Run, readRun, readTimings, readWholeRun, type WholeRun } from '../../runs/read.js'
import { planFile, SweepPlans } from '../../runs/sweep-plan.js'
import { sweepFiles } from '../../sweeps/folder.js'
import {
  type FolderSummary,
  type FolderUpdate,
  historyLength,
  type RunRow,
  type SweepState,
  statuses,
} from './watch-format.js'

// Pauses between two looks: at least this long, and several times as long as a look takes on a slow disk.
const pause = { afterPass: 1500, perPass: 5, afterRunning: 100, perRunning: 10 } as const

/** Changes are reported at most this often during a pass. */
const reportMilliseconds = 250

/** A folder with a run, or with one that a sweep plans, as it was read last. */
interface Watched {
  /** Changes if the files do. */
  readonly fingerprint: string
  readonly row: RunRow
  /** The run, or why it is damaged; null if it has not begun. */
  readonly run: WholeRun | EigenaeError | null
}

type PlannedSweep = Omit<SweepState, 'runs' | 'left'> & { readonly folders: ReadonlySet<string> }

export class Monitor {
  readonly folder: string
  readonly #onUpdate: (update: FolderUpdate) => void
  readonly #watched = new Map<string, Watched>()
  readonly #plans = new SweepPlans()
  #sweeps: readonly PlannedSweep[] = []
  #unreadable: readonly string[] = []
  #unread: number | null = null
  /** The rows as they were reported, by name. */
  #reported: ReadonlyMap<string, RunRow> = new Map()
  #reportedSummary: FolderSummary | null = null
  #lastReport = 0

  /** @param onUpdate called with each change; the first has all runs that were found */
  constructor(folder: string, onUpdate: (update: FolderUpdate) => void) {
    this.folder = folder
    this.#onUpdate = onUpdate
  }

  /** All runs, and the planned ones that have not begun. */
  get rows(): readonly RunRow[] {
    return Array.from(this.#watched.values(), ({ row }) => row)
  }

  get summary(): FolderSummary {
    const isLeft = (run: string) => this.#watched.get(run)?.row.status !== 'completed'
    const sweeps = this.#sweeps.map(({ folders, ...sweep }) => {
      return { ...sweep, runs: folders.size, left: [...folders].filter(isLeft).length }
    })
    return { ...paceOf(this.rows, sweeps), sweeps, unread: this.#unread, unreadable: this.#unreadable }
  }

  /** The runs as they were read last, or why they are damaged, by folder; with the spectrum of the last epoch only. */
  get runs(): ReadonlyMap<string, WholeRun | EigenaeError> {
    return new Map([...this.#watched].flatMap(([folder, { run }]) => (run === null ? [] : [[folder, run]])))
  }

  /** @throws a usage error if the folder cannot be read, or is missing and must not be. */
  async requireFolder({ mayBeMissing }: { readonly mayBeMissing: boolean }): Promise<void> {
    await readdir(this.folder).catch((error) => {
      if (mayBeMissing && hasCode(error, 'ENOENT')) return
      throw fileError('read the folder', this.folder, error, exitCode.usage)
    })
  }

  /** Follows the folder until the signal is aborted. It may be made later. */
  async follow(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const began = performance.now()
        await this.#passIfReadable(signal)
        const end = performance.now()
        await this.#followRunning(end + Math.max(pause.afterPass, pause.perPass * (end - began)), signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** The folder may be made later, and a network file system may be out of reach for a while. */
  async #passIfReadable(signal: AbortSignal): Promise<void> {
    try {
      await this.pass(signal)
    } catch (error) {
      const isToCome = this.#watched.size === 0 && !existsSync(this.folder)
      if (isToCome) this.#unread = 0
      const problem = `waiting for ${this.folder}, which does not exist yet`
      this.#unreadable = [isToCome ? problem : firstLine(knownError(error))]
      this.#report()
    }
  }

  /** Looks at the running runs again and again until the given time. */
  async #followRunning(end: number, signal: AbortSignal): Promise<void> {
    let took = 0
    while (performance.now() < end) {
      await setTimeout(Math.max(pause.afterRunning, pause.perRunning * took), undefined, { signal })
      const began = performance.now()
      const running = [...this.#watched].filter(([, { row }]) => row.status === 'running')
      const hasChanged = await this.#look(
        running.map(([folder]) => folder),
        signal,
      )
      if (hasChanged) this.#report()
      took = performance.now() - began
    }
  }

  /** Looks for runs and plans, and at every folder. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { runs, unreadable } = await findRuns(this.folder, this.#watched)
    const damaged = await this.#readPlans(runs)
    this.#unreadable = [...unreadable.map(firstLine), ...damaged]
    const folders = new Set([...runs, ...this.#sweeps.flatMap((sweep) => [...sweep.folders])])
    for (const folder of this.#watched.keys()) if (!folders.has(folder)) this.#watched.delete(folder)
    await this.#look([...folders], signal)
    this.#report()
  }

  /** Reads the plans of the sweeps that have runs in the folder. Returns a line for each damaged one. */
  async #readPlans(runs: readonly string[]): Promise<readonly string[]> {
    const sweeps: PlannedSweep[] = []
    const damaged: string[] = []
    for (const folder of new Set([this.folder, ...runs.map((run) => join(run, '..', '..'))])) {
      const plan = this.#plans.read(folder)
      if (plan instanceof EigenaeError) damaged.push(firstLine(plan))
      if (plan === undefined || plan instanceof EigenaeError) continue
      const paths = plan.runs.map((run) => relative(this.folder, join(folder, run)))
      const inside = paths.filter((path) => !path.startsWith(`..${sep}`))
      if (inside.length === 0) continue
      const folders = new Set(inside.map((path) => join(this.folder, path)))
      const followed = await isLocked(sweepFiles(folder).lock)
      sweeps.push({ name: plan.name, folder: this.#nameOf(folder), followed, folders })
    }
    this.#sweeps = sweeps
    return damaged
  }

  /** Returns whether one of the folders has changed. */
  async #look(folders: readonly string[], signal?: AbortSignal): Promise<boolean> {
    const slice = new TimeSlice(signal)
    let hasChanged = false
    let unread = folders.filter((folder) => !this.#watched.has(folder)).length
    this.#unread = unread
    for (const folder of folders) {
      if (slice.isOver()) {
        if (performance.now() - this.#lastReport > reportMilliseconds) this.#report()
        await slice.next()
      }
      if (!this.#watched.has(folder)) unread--
      hasChanged = (await this.#lookAt(folder)) || hasChanged
      this.#unread = unread
    }
    return hasChanged
  }

  /**
   * Reads a folder again if its files have changed, or if its process has ended without writing its end. Returns whether it
   * did. A folder that has vanished is forgotten; a planned run waits again.
   */
  async #lookAt(folder: string): Promise<boolean> {
    const fingerprint = fingerprintOf(folder)
    const before = this.#watched.get(folder)
    const hasDied = async () => before?.row.status === 'running' && !(await isLocked(runFiles(folder).lock))
    if (before?.fingerprint === fingerprint && !(await hasDied())) return false
    const read = fingerprint.startsWith(unbegun) ? this.#unbegun(folder) : await this.#read(folder)
    if (read === null) return this.#watched.delete(folder)
    const row = isDeepStrictEqual(read.row, before?.row) ? before!.row : read.row
    this.#watched.set(folder, { ...read, row, fingerprint })
    return true
  }

  /** Returns the row of a folder without a run: "failed" if its log ends with an error. Null if no sweep plans a run there. */
  #unbegun(folder: string): Omit<Watched, 'fingerprint'> | null {
    if (!this.#sweeps.some(({ folders }) => folders.has(folder))) return null
    const row = waitingRow(this.#nameOf(folder))
    const reason = loggedError(folder)
    return { row: reason === null ? row : { ...row, status: 'failed', reason }, run: null }
  }

  /** Reads a run; never fails, because a run may be removed or unreadable at any time. */
  async #read(folder: string): Promise<Omit<Watched, 'fingerprint'>> {
    const name = this.#nameOf(folder)
    try {
      const run = await readWholeRun(folder)
      const row = rowOf(run, name)
      // A run that its sweep did not plan for its folder would be shown under another one's name.
      const misplacement = this.#plans.misplacement(folder, run.record)
      const lost = { status: 'damaged', reason: `config.json ${misplacement}` } as const
      return { row: misplacement === null ? row : { ...row, ...lost }, run: withLastSpectrum(run) }
    } catch (error) {
      const known = knownError(error)
      return { row: await damagedRow(folder, name, known), run: known }
    }
  }

  #nameOf(folder: string): string {
    return relative(this.folder, folder) || '.'
  }

  /** Reports the changes since the last report. */
  #report(): void {
    const { summary } = this
    const rows = new Map(this.rows.map((row) => [row.name, row]))
    const changed = [...rows.values()].filter((row) => this.#reported.get(row.name) !== row)
    const removed = [...this.#reported.keys()].filter((name) => !rows.has(name))
    const isSame = changed.length + removed.length === 0 && isDeepStrictEqual(summary, this.#reportedSummary)
    if (isSame) return
    this.#reported = rows
    this.#reportedSummary = summary
    this.#lastReport = performance.now()
    this.#onUpdate({ summary, changed, removed })
  }
}

/** The fingerprint of a folder without a run begins with this. */
const unbegun = '- - '

/**
 * Returns a text that changes when the files of a run or its sweep's plan do. The checkpoint is one of them because rows of
 * metrics.csv count only once it is written, the plan because a new one may make a run that of another folder.
 */
function fingerprintOf(folder: string): string {
  const { record, metrics, checkpoint, log } = runFiles(folder)
  const [begun, plan] = [[record, metrics].map(modificationOf), planFile(dirname(dirname(resolve(folder))))]
  const last = begun.every((each) => each === '-') ? log : checkpoint
  return [...begun, ...[last, plan].map(modificationOf)].join(' ')
}

function rowOf(run: Run, name: string): RunRow {
  const { record, status, metrics } = run
  const isComplete = record.status === 'completed'
  return {
    name,
    status,
    epoch: metrics.at(-1)?.epoch ?? 0,
    epochs: record.epochs,
    secondsPerEpoch: secondsPerEpoch(run.folder),
    seconds: isComplete ? (Date.parse(record.ended) - Date.parse(record.started)) / 1000 : null,
    testMse: metricOf(run, 'test_mse'),
    effectiveRank: metricOf(run, 'effective_rank'),
    history: sampleEvenly(metrics, historyLength).map(({ test_mse }) => Number(test_mse.toPrecision(5))),
    reason: reasonOf(run),
  }
}

function waitingRow(name: string): RunRow {
  const unknown = { epochs: null, secondsPerEpoch: null, seconds: null, testMse: null, effectiveRank: null }
  return { name, status: 'waiting', epoch: 0, ...unknown, history: [], reason: null }
}

async function damagedRow(folder: string, name: string, error: EigenaeError): Promise<RunRow> {
  try {
    const run = await readRun(folder)
    // The run may have been repaired since.
    const reason = run.damage.map(damageText).join('; ') || firstLine(error)
    return { ...rowOf(run, name), status: 'damaged', reason }
  } catch (again) {
    return { ...waitingRow(name), status: 'damaged', reason: firstLine(again) }
  }
}

function reasonOf({ folder, record, status }: Run): string | null {
  if (record.status === 'failed') return record.error
  if (status !== 'interrupted') return null
  if (record.status === 'interrupted') return 'stopped by Ctrl-C or a signal'
  return loggedError(folder) ?? 'its process has ended: it was killed, or the machine restarted'
}

const averagedEpochs = 5

/** Returns the mean time of the last epochs; null before the first one. */
function secondsPerEpoch(folder: string): number | null {
  try {
    const rows = readTimings(runFiles(folder).timings).slice(-averagedEpochs)
    return meanOrNull(rows.map(({ train_seconds, eval_seconds }) => train_seconds + eval_seconds))
  } catch {
    return null
  }
}

/** Thousands of runs with all of their spectra would not fit into memory. */
function withLastSpectrum(run: WholeRun): WholeRun {
  const last = run.spectrum.at(-1)?.epoch
  return { ...run, spectrum: run.spectrum.filter(({ epoch }) => epoch === last) }
}

/** Counts the runs and estimates the time that the running and waiting ones take. */
function paceOf(
  rows: readonly RunRow[],
  sweeps: readonly SweepState[],
): Pick<FolderSummary, 'counts' | 'secondsPerEpoch' | 'secondsLeft'> {
  const of = (status: RunRow['status']) => rows.filter((row) => row.status === status)
  const [running, completed, waiting] = [of('running'), of('completed'), of('waiting')]
  const counts = Object.fromEntries(
    statuses.map((status) => [status, of(status).length]),
  ) as FolderSummary['counts']
  const measured = running.length > 0 ? running : completed
  const pace = meanOrNull(measured.flatMap((row) => row.secondsPerEpoch ?? []))
  // A sweep that starts the waiting runs may have none running for a moment.
  const isBusy = running.length > 0 || (waiting.length > 0 && sweeps.some(({ followed }) => followed))
  if (!isBusy || pace === null) return { counts, secondsPerEpoch: pace, secondsLeft: null }
  // As many runs train at once as now, and the waiting runs take as long as the completed ones.
  const left = running.map(
    ({ epoch, epochs, secondsPerEpoch }) => ((epochs ?? 0) - epoch) * (secondsPerEpoch ?? pace),
  )
  const wholeRun =
    meanOrNull(completed.flatMap(({ seconds }) => seconds ?? [])) ??
    pace * (meanOrNull(running.flatMap(({ epochs }) => epochs ?? [])) ?? 0)
  const work = left.reduce((sum, seconds) => sum + seconds, 0) + waiting.length * wholeRun
  const secondsLeft = Math.max(work / Math.max(1, running.length), ...left)
  return { counts, secondsPerEpoch: pace, secondsLeft }
}

function meanOrNull(values: readonly number[]): number | null {
  if (values.length === 0) return null
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const sliceMilliseconds = 20

/** A time slice of a long computation. The event loop runs between slices, so Ctrl-C works. */
class TimeSlice {
  readonly #signal: AbortSignal | undefined
  #end = performance.now() + sliceMilliseconds

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  isOver(): boolean {
    return performance.now() > this.#end
  }

  /** Lets the event loop run, then starts the next slice. @throws the signal's reason if it is aborted. */
  async next(): Promise<void> {
    await setImmediate()
    this.#signal?.throwIfAborted()
    this.#end = performance.now() + sliceMilliseconds
  }
}
