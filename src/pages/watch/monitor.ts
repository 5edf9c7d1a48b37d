/**
 * Follows all runs in a folder by their files alone, so that nothing is asked of the trainings. A pass compares the times
 * of files, which works for files that other machines write; between two passes, the operating system's notices make
 * changes on this machine appear at once.
 */
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { EigenaeError, exitCode, fileError, firstLine } from '../../errors.js'
import { isLocked } from '../../files/lock.js'
import { runFiles } from '../../runs/files.js'
import { findRuns } from '../../runs/find.js'
import { SweepPlans } from '../../runs/sweep-plan.js'
import { TimeSlice } from '../../spectrum/time-slice.js'
import { sweepFiles } from '../../sweeps/folder.js'
import { FolderNotices } from './notices.js'
import { fingerprintOf, type ReadRun, readRunRow, unbegunRow } from './run-row.js'
import type { RunRow, Summary, SweepState, Update } from './state.js'
import { summaryOf } from './summary.js'

/** A run folder, and its files when they were read. */
interface Entry extends ReadRun {
  readonly fingerprint: string
}

// Pauses between two passes: at least this long, and several times as long as a pass takes on a slow disk.
const pauseMilliseconds = 1500
const pausePerPass = 5

/** A change appears at most this long after the previous one. */
const reportMilliseconds = 250

/** A pass looks at all unfinished runs, and at this many of the others in turn. */
const othersPerPass = 2000

const runsPerPart = 500

export class Monitor {
  readonly folder: string
  readonly #onUpdate: (update: Update) => void
  readonly #runs = new Map<string, Entry>()
  /** Planned runs without a run.json, by folder. */
  readonly #unbegun = new Map<string, RunRow>()
  readonly #plans = new SweepPlans()
  /** The folders of the planned runs, by the folder of their sweep. */
  #planned: ReadonlyMap<string, readonly string[]> = new Map()
  #sweeps: readonly SweepState[] = []
  #unreadable: readonly string[] = []
  #damagedPlans: readonly string[] = []
  #unread: number | null = null
  #changed = new Map<string, RunRow>()
  #removed = new Set<string>()
  #summary: Summary
  #lastReport = 0
  #passes = 0
  readonly #notices = new FolderNotices()

  /** @param onUpdate called with each change; the first has all runs that were found */
  constructor(folder: string, onUpdate: (update: Update) => void) {
    this.folder = folder
    this.#onUpdate = onUpdate
    this.#summary = this.#summarise()
  }

  /** All runs, and the planned ones that have not begun. */
  get state(): Update {
    const read = [...this.#runs.values()].map(({ row }) => row)
    return { summary: this.#summary, changed: [...read, ...this.#unbegun.values()], removed: [] }
  }

  /** The state in parts, each short enough for a page to read at once. */
  get stateInParts(): readonly Update[] {
    const { summary, changed, removed } = this.state
    const parts = Array.from({ length: Math.max(1, Math.ceil(changed.length / runsPerPart)) }, (_, part) =>
      changed.slice(part * runsPerPart, (part + 1) * runsPerPart),
    )
    return parts.map((runs) => ({ summary, changed: runs, removed }))
  }

  /** The runs as they were read last, by folder. */
  get runs(): ReadonlyMap<string, ReadRun & { readonly fingerprint: string }> {
    return this.#runs
  }

  /** @throws a usage error if the folder cannot be read. */
  async requireFolder(): Promise<void> {
    await readdir(this.folder).catch((error) => {
      throw fileError('read the folder', this.folder, error, exitCode.usage)
    })
  }

  /** Follows the folder until the signal is aborted. @throws EigenaeError if the folder itself cannot be read. */
  async follow(signal: AbortSignal): Promise<void> {
    try {
      await this.pass(signal)
      while (!signal.aborted) {
        const began = performance.now()
        await this.#passIfReadable(signal)
        const pause = Math.max(pauseMilliseconds, pausePerPass * (performance.now() - began))
        await this.#rest(performance.now() + pause, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.close()
    }
  }

  /** Ends the notices of the system, which keep the process alive. */
  close(): void {
    this.#notices.close()
  }

  /** A network file system may be out of reach for a while. */
  async #passIfReadable(signal: AbortSignal): Promise<void> {
    try {
      await this.pass(signal)
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      this.#unreadable = [firstLine(error)]
      this.#report(true)
    }
  }

  /** Looks at every folder once. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { runs, unreadable } = await findRuns(this.folder, this.#runs)
    this.#unreadable = unreadable.map(firstLine)
    const present = new Set(runs)
    for (const folder of this.#runs.keys()) if (!present.has(folder)) this.#forget(folder)
    await this.#readPlans(runs, signal)
    await this.#checkRuns(this.#due(runs), signal)
    await this.#readPlans(runs, signal)
    this.#passes++
    this.#watchFolders()
    this.#report(true)
  }

  /** Returns the runs to look at in this pass. */
  #due(runs: readonly string[]): readonly string[] {
    const turns = this.#turnsOf(runs.length)
    return runs.filter((folder, index) => {
      const status = this.#runs.get(folder)?.row.status
      const isResting = status !== undefined && status !== 'running'
      return !isResting || index % turns === this.#passes % turns
    })
  }

  /** Returns in how many passes it is the turn of each of `count` runs. */
  #turnsOf(count: number): number {
    return Math.max(1, Math.ceil(count / othersPerPass))
  }

  async #checkRuns(folders: readonly string[], signal?: AbortSignal): Promise<void> {
    const slice = new TimeSlice(signal)
    let unread = folders.filter((folder) => !this.#runs.has(folder)).length
    this.#unread = unread
    for (const folder of folders) {
      if (slice.isOver()) {
        this.#report(false)
        await slice.next()
      }
      const isNew = !this.#runs.has(folder)
      await this.#checkRun(folder)
      if (isNew) this.#unread = --unread
    }
  }

  async #checkRun(folder: string): Promise<void> {
    const fingerprint = fingerprintOf(folder)
    const before = this.#runs.get(folder)
    if (fingerprint.startsWith('- - ')) return this.#forget(folder)
    if (before?.fingerprint === fingerprint && !(await this.#hasDied(before, folder))) return
    const read = this.#markMisplaced(folder, await readRunRow(folder, this.#nameOf(folder)))
    this.#runs.set(folder, { ...read, fingerprint })
    this.#unbegun.delete(folder)
    if (JSON.stringify(read.row) !== JSON.stringify(before?.row)) this.#change(read.row)
  }

  /** A run that its sweep did not plan for its folder would be shown under another one's name. */
  #markMisplaced(folder: string, read: ReadRun): ReadRun {
    const reason = read.run === null ? null : this.#plans.misplacement(folder, read.run.record)
    if (reason === null) return read
    return { ...read, row: { ...read.row, status: 'damaged', reason: `config.json ${reason}` } }
  }

  /** Returns whether a running run's process has ended without writing its end. */
  async #hasDied({ row }: Entry, folder: string): Promise<boolean> {
    return row.status === 'running' && !(await isLocked(runFiles(folder).lock))
  }

  #forget(folder: string): void {
    if (!this.#runs.delete(folder)) return
    this.#changed.delete(this.#nameOf(folder))
    this.#removed.add(this.#nameOf(folder))
    this.#notices.unwatch(folder)
  }

  #change(row: RunRow): void {
    this.#removed.delete(row.name)
    this.#changed.set(row.name, row)
  }

  #nameOf(folder: string): string {
    return relative(this.folder, folder) || '.'
  }

  /** Reads the plans of the sweeps, and lists their runs in the folder that have not begun. */
  async #readPlans(runs: readonly string[], signal?: AbortSignal): Promise<void> {
    const candidates = new Set([this.folder, ...runs.map((run) => join(run, '..', '..'))])
    const sweeps: SweepState[] = []
    const planned = new Map<string, readonly string[]>()
    const damaged: string[] = []
    for (const folder of candidates) {
      const plan = this.#plans.read(folder)
      if (plan === undefined) continue
      if (plan instanceof EigenaeError) {
        damaged.push(firstLine(plan))
        continue
      }
      const folders = plan.runs.flatMap((run) => this.#inside(join(folder, run)))
      if (folders.length === 0) continue
      planned.set(folder, folders)
      const followed = await isLocked(sweepFiles(folder).lock)
      const isLeft = (run: string) => this.#runs.get(run)?.row.status !== 'completed'
      const counts = { runs: folders.length, left: folders.filter(isLeft).length }
      sweeps.push({ name: plan.name, folder: this.#nameOf(folder), followed, ...counts })
    }
    this.#sweeps = sweeps
    this.#planned = planned
    this.#damagedPlans = damaged
    await this.#listUnbegun(signal)
  }

  /** Returns the path of a run as `findRuns` gives it, or nothing if the run is not in the folder. */
  #inside(run: string): readonly string[] {
    const path = relative(this.folder, run)
    return path.startsWith(`..${sep}`) ? [] : [join(this.folder, path)]
  }

  async #listUnbegun(signal?: AbortSignal): Promise<void> {
    const planned = new Set([...this.#planned.values()].flat())
    for (const folder of this.#unbegun.keys()) {
      if (planned.has(folder)) continue
      this.#unbegun.delete(folder)
      if (!this.#runs.has(folder)) this.#removed.add(this.#nameOf(folder))
    }
    const turns = this.#turnsOf(planned.size)
    const slice = new TimeSlice(signal)
    let index = 0
    for (const folder of planned) {
      if (slice.isOver()) await slice.next()
      if (this.#runs.has(folder)) continue
      const before = this.#unbegun.get(folder)
      if (before !== undefined && index++ % turns !== this.#passes % turns) continue
      const row = unbegunRow(folder, this.#nameOf(folder))
      if (row.status === before?.status && row.reason === before.reason) continue
      this.#unbegun.set(folder, row)
      this.#change(row)
    }
  }

  #summarise(): Summary {
    const rows = [...this.#runs.values()].map(({ row }) => row)
    return {
      ...summaryOf(
        [...rows, ...this.#unbegun.values()],
        this.#sweeps.some(({ followed }) => followed),
      ),
      sweeps: this.#sweeps,
      unread: this.#unread,
      unreadable: [...this.#unreadable, ...this.#damagedPlans],
    }
  }

  /** Reports the changes since the last report; unless `now`, at most every `reportMilliseconds`. */
  #report(now: boolean): void {
    if (!now && performance.now() - this.#lastReport < reportMilliseconds) return
    const summary = this.#summarise()
    const isSame = JSON.stringify(summary) === JSON.stringify(this.#summary)
    if (isSame && this.#changed.size === 0 && this.#removed.size === 0 && this.#lastReport > 0) return
    this.#summary = summary
    this.#lastReport = performance.now()
    const update = { summary, changed: [...this.#changed.values()], removed: [...this.#removed] }
    this.#changed = new Map()
    this.#removed = new Set()
    this.#onUpdate(update)
  }

  /** Asks for notices of changes in the unfinished runs and in the folders above the runs. Passes find all other changes. */
  #watchFolders(): void {
    const unfinished = [...this.#runs].flatMap(([folder, { row }]) =>
      row.status === 'running' ? [folder] : [],
    )
    const above = [this.folder, ...[...this.#runs.keys()].map(dirname), ...this.#planned.keys()]
    this.#notices.watchOnly(new Set([...unfinished, ...above]))
  }

  /** Waits for the time of the next pass, and meanwhile looks at the folders of which the system gives notice. */
  async #rest(end: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && performance.now() < end) {
      const changes = await this.#notices.next(end, signal)
      const folders = [...new Set([...changes].flatMap(([folder, names]) => this.#affected(folder, names)))]
      await this.#checkRuns(folders.filter(mayBeRun), signal)
      // A new folder in which a run may begin.
      for (const folder of folders) if (isFolder(folder)) this.#notices.watch(folder)
      this.#report(true)
    }
  }

  /** Returns the folders to look at after a change. In a folder above the runs, a new name may be a new run. */
  #affected(folder: string, names: ReadonlySet<string>): readonly string[] {
    return this.#runs.has(folder) ? [folder] : [folder, ...[...names].map((name) => join(folder, name))]
  }
}

function mayBeRun(folder: string): boolean {
  return existsSync(runFiles(folder).record)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
