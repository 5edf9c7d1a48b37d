import { setMaxListeners } from 'node:events'
import { join, resolve } from 'node:path'
import type { Override } from '../config/load.js'
import { type Halving, readSweepFile } from '../config/sweep.js'
import { releaseLock } from '../files/lock.js'
import { modificationOf } from '../files/read.js'
import type { LaunchEnd, Launcher, LaunchWatcher, Outcome, SweepRun } from '../launchers/launcher.js'
import { runFiles } from '../runs/files.js'
import { readMetrics } from '../runs/read.js'
import type { RecordedCommand } from '../runs/record.js'
import type { MetricsRow } from '../runs/tables.js'
import { stalledWarning } from '../training/divergence.js'
import {
  claimSweepFolder,
  inspectStage,
  inspectSweepFolder,
  type SavedSweep,
  type SweepStage,
  savePlan,
} from './folder.js'
import { planSweep, type SweepPlan } from './plan.js'

// The course of a sweep:
// 1. inspectSweep plans the runs (plan.ts) and inspects their folders (folder.ts). Nothing is written.
// 2. The command opens a launcher (src/launchers) for the runs that are not done.
// 3. executeSweep claims the folder, launches these runs, follows them, and launches the failed ones again that
//    may be retried (`mayRetry`). A halving (halving.ts) then decides which runs are lengthened, and they are launched,
//    rung by rung.
// 4. The command compares the arms that have completed runs, or lists the failures.

/** A planned sweep with the state of its runs. */
export interface InspectedSweep {
  readonly plan: SweepPlan
  readonly folder: string
  readonly stage: SweepStage
  /** The runs of the stage that are not done. */
  readonly missing: readonly SweepRun[]
  readonly notes: readonly string[]
}

interface SweepRequest {
  /** The sweep file. */
  readonly config: string
  readonly overrides: readonly Override[]
  /** Used instead of the sweep file's; undefined to use those. */
  readonly seeds: readonly number[] | undefined
  /** The sweep's folder; undefined for runs/<name>. */
  readonly out: string | undefined
  /** Whether the folder may hold runs already. */
  readonly resume: boolean
}

/** @throws a usage error if the sweep file has mistakes, or if the folder holds something else. */
export async function inspectSweep(request: SweepRequest): Promise<InspectedSweep> {
  const file = await readSweepFile(request.config)
  const { overrides, seeds = file.seeds } = request
  const plan = await planSweep({ ...file, seeds }, overrides)
  const folder = request.out ?? join('runs', plan.sweep.name)
  const saved = await inspectSweepFolder(folder, plan, request.resume)
  const stage = inspectStage(plan, folder)
  const { states, damage } = stage
  const remade = [...(saved?.damage ?? []), ...damage].map((line) => `damaged, so it is remade: ${line}`)
  const shorter = states.filter((state) => state === 'shorter').length
  const lengthened =
    shorter === 0 || stage.rungs.length > 0
      ? []
      : [`${shorter} runs are lengthened, because the configs have more epochs now`]
  const notes = [...plan.notes, ...planChanges(plan, saved), ...lengthened, ...remade]
  return { plan, folder, stage, missing: missingRuns(plan, folder, stage), notes }
}

function missingRuns(plan: SweepPlan, folder: string, { runs, states }: SweepStage): readonly SweepRun[] {
  const counts = new Map<string, number>()
  const indexed = plan.runs.map(({ name, config }, index) => {
    const key = JSON.stringify({ ...config, seed: null })
    const indexInArm = counts.get(key) ?? 0
    counts.set(key, indexInArm + 1)
    return { name, folder: resolve(folder, name), config: runs[index]!.config, indexInArm }
  })
  return indexed.filter((_, index) => states[index] !== 'done')
}

/** Returns notes about the runs that the sweep file has gained or lost since its plan was saved. */
function planChanges({ runs }: SweepPlan, saved: SavedSweep | null): readonly string[] {
  if (saved === null || saved.runs === null) return []
  const [before, now] = [new Set(saved.runs), new Set(runs.map(({ name }) => name))]
  const added = runs.filter(({ name }) => !before.has(name)).length
  const dropped = saved.runs.filter((name) => !now.has(name)).length
  return [
    ...(added > 0 ? [`${added} runs are new in the sweep file`] : []),
    ...(dropped > 0 ? [`${dropped} runs are no longer in the sweep file; their folders stay untouched`] : []),
  ]
}

/** An event of a sweep. `--json` prints each as a line. Times are seconds. */
export type SweepEvent =
  | {
      readonly event: 'planned'
      readonly sweep: string
      readonly folder: string
      readonly runs: number
      /** Runs that were complete before. */
      readonly done: number
      readonly launcher: string
      readonly description: string
    }
  /** The trials of a halving train to a rung, its first one being 1. */
  | {
      readonly event: 'rung'
      readonly rung: number
      /** The number of rungs. */
      readonly rungs: number
      readonly epochs: number
      readonly trials: readonly string[]
      /** The runs that are launched for it. */
      readonly runs: readonly string[]
    }
  /** The end of a halving: the epochs that its trials have, and those that all of them would have at the last rung. */
  | {
      readonly event: 'halved'
      readonly metric: string
      readonly rungs: readonly { readonly epochs: number; readonly trials: readonly string[] }[]
      readonly epochs: number
      readonly epochs_without: number
    }
  | { readonly event: 'started'; readonly run: string; readonly attempt: number; readonly where: string }
  | {
      readonly event: 'epoch'
      readonly run: string
      readonly epoch: number
      readonly epochs: number
      readonly test_mse: number
    }
  | {
      readonly event: 'completed'
      readonly run: string
      readonly seconds: number
      readonly test_mse: number | null
    }
  | {
      readonly event: 'failed'
      readonly run: string
      readonly attempt: number
      /** Whether another attempt follows. */
      readonly again: boolean
      readonly reason: string
      readonly log: string
    }
  | { readonly event: 'interrupted'; readonly run: string }
  | { readonly event: 'requeued'; readonly run: string; readonly why: string }
  | { readonly event: 'note'; readonly text: string }
  | ({ readonly event: 'finished' } & SweepCounts)

interface SweepCounts {
  /** Runs that this command completed. */
  readonly completed: number
  readonly failed: number
  /** Runs that neither completed nor failed: interrupted, detached or never started. */
  readonly left: number
  readonly seconds: number
  /** The measured rate of this command; null if no run was completed. */
  readonly runs_per_hour: number | null
}

interface SweepExecution {
  /** Opens the launcher, for each rung again. @throws a usage error if it cannot work here. */
  readonly open: (runs: readonly SweepRun[]) => Promise<Launcher>
  /** The launcher's name in the event `planned`. */
  readonly launcherName: string
  /** The number of further attempts at a run that failed. */
  readonly retries: number
  /** Stop all runs when one fails for good. */
  readonly failFast: boolean
  /** The command line that sweep.json and the run.json of each run keep. */
  readonly command: RecordedCommand
  readonly onEvent: (event: SweepEvent) => void
  /** Aborted with an Interruption as its reason. */
  readonly signal: AbortSignal
}

interface FailedRun {
  readonly name: string
  readonly attempts: number
  readonly reason: string
  readonly log: string
}

export interface SweepResult {
  readonly end: LaunchEnd
  readonly counts: SweepCounts
  readonly failures: readonly FailedRun[]
}

/** Trains the missing runs. The failure of a run is part of the result rather than an exception. */
export async function executeSweep(sweep: InspectedSweep, execution: SweepExecution): Promise<SweepResult> {
  const { plan, folder, missing, notes } = sweep
  const { launcherName, onEvent } = execution
  const launcher = await execution.open(missing)
  const files = await claimSweepFolder(folder, plan, sweep.stage, execution.command)
  const rounds = new LaunchRounds(execution)
  try {
    onEvent({
      event: 'planned',
      sweep: plan.sweep.name,
      folder,
      runs: plan.runs.length,
      done: plan.runs.length - missing.length,
      launcher: launcherName,
      description: launcher.description,
    })
    for (const text of notes) onEvent({ event: 'note', text })
    const halving = plan.sweep.search?.halving ?? null
    const end =
      halving === null
        ? await rounds.launch(launcher, missing)
        : await launchRungs(sweep, halving, launcher, execution, rounds)
    return rounds.finish(end)
  } finally {
    rounds.dispose()
    await releaseLock(files.lock)
  }
}

/** Launches the missing runs of a rung, decides which trials train to the next one, and so on. */
async function launchRungs(
  sweep: InspectedSweep,
  halving: Halving,
  first: Launcher,
  execution: SweepExecution,
  rounds: LaunchRounds,
): Promise<LaunchEnd> {
  const { plan, folder } = sweep
  let [launcher, stage, missing] = [first, sweep.stage, sweep.missing]
  while (missing.length > 0) {
    if (stage !== sweep.stage) launcher = await execution.open(missing)
    const { epochs, trials } = stage.rungs.at(-1)!
    execution.onEvent({
      event: 'rung',
      rung: stage.rungs.length,
      rungs: halving.epochs.length,
      epochs,
      trials: namesOf(trials),
      runs: namesOf(missing),
    })
    const end = await rounds.launch(launcher, missing)
    if (end === 'detached' && stage.rungs.length < halving.epochs.length)
      execution.onEvent({
        event: 'note',
        text: 'the next rung starts with --resume, once these jobs have ended',
      })
    if (end === 'detached' || rounds.isStopped) return end
    const before = { rung: stage.rungs.length, runs: missing.length }
    stage = inspectStage(plan, folder, rounds.failed)
    missing = missingRuns(plan, folder, stage).filter(({ name }) => !rounds.failed.has(name))
    await savePlan(folder, plan, stage, execution.command)
    // A launcher that reports runs as complete which are not would launch them for ever.
    if (stage.rungs.length === before.rung && missing.length >= before.runs) return end
  }
  const ofTrials = stage.runs.filter(({ arm }) => arm.trial !== null)
  execution.onEvent({
    event: 'halved',
    metric: halving.metric,
    rungs: stage.rungs.map(({ epochs, trials }) => ({ epochs, trials: namesOf(trials) })),
    epochs: ofTrials.reduce((sum, { config }) => sum + config.train.epochs, 0),
    epochs_without: ofTrials.length * halving.epochs.at(-1)!,
  })
  return 'ended'
}

function namesOf(named: readonly { readonly name: string }[]): readonly string[] {
  return named.map(({ name }) => name)
}

type FailedOutcome = Extract<Outcome, { readonly kind: 'failed' }>

/** Launches runs, then once more those that failed and may be retried, and so on. */
class LaunchRounds implements LaunchWatcher {
  readonly #execution: SweepExecution
  readonly #began = performance.now()
  /** When the running runs started, by name. */
  readonly #started = new Map<string, number>()
  readonly #failures: FailedRun[] = []
  readonly #stop = new AbortController()
  readonly #follower: EpochFollower
  /** Runs by their names. Those of a halving are launched once for each of their rungs. */
  readonly #launched = new Set<string>()
  readonly #completed = new Set<string>()
  /** The number of the round, from 1. */
  #attempt = 0
  /** The runs of the next round. */
  #toRetry: SweepRun[] = []

  constructor(execution: SweepExecution) {
    this.#execution = execution
    setMaxListeners(0, this.#stop.signal)
    if (execution.signal.aborted) this.#interrupt()
    execution.signal.addEventListener('abort', this.#interrupt)
    this.#follower = new EpochFollower((run, row) => execution.onEvent(epochEvent(run, row)))
  }

  dispose(): void {
    this.#follower.stop()
    this.#execution.signal.removeEventListener('abort', this.#interrupt)
  }

  readonly #interrupt = () => this.#stop.abort(this.#execution.signal.reason)

  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** The names of the runs that failed for good. */
  get failed(): ReadonlySet<string> {
    return new Set(namesOf(this.#failures))
  }

  async launch(launcher: Launcher, runs: readonly SweepRun[]): Promise<LaunchEnd> {
    for (const { name } of runs) {
      this.#launched.add(name)
      this.#completed.delete(name)
    }
    let round = runs
    let end: LaunchEnd = 'ended'
    for (this.#attempt = 1; round.length > 0; this.#attempt++) {
      this.#toRetry = []
      end = await launcher.launch(round, this, this.#stop.signal)
      round = this.isStopped || end === 'detached' ? [] : this.#toRetry
    }
    return end
  }

  finish(end: LaunchEnd): SweepResult {
    const counts = this.#counts()
    this.#execution.onEvent({ event: 'finished', ...counts })
    return { end, counts, failures: this.#failures }
  }

  onStart(run: SweepRun, where: string): void {
    this.#started.set(run.name, performance.now())
    this.#follower.add(run)
    this.#execution.onEvent({ event: 'started', run: run.name, attempt: this.#attempt, where })
  }

  onRequeue(run: SweepRun, why: string): void {
    this.#started.delete(run.name)
    this.#follower.remove(run)
    this.#execution.onEvent({ event: 'requeued', run: run.name, why })
  }

  onNote(text: string): void {
    this.#execution.onEvent({ event: 'note', text })
  }

  onEnd(run: SweepRun, outcome: Outcome): void {
    this.#follower.finish(run)
    if (outcome.kind === 'interrupted') this.#execution.onEvent({ event: 'interrupted', run: run.name })
    if (outcome.kind === 'failed') this.#onFailure(run, outcome)
    if (outcome.kind === 'completed') this.#onCompletion(run)
    this.#started.delete(run.name)
  }

  #onCompletion(run: SweepRun): void {
    this.#completed.add(run.name)
    const now = performance.now()
    const seconds = roundedSeconds(now - (this.#started.get(run.name) ?? now))
    const rows = readRows(run.folder)
    const test_mse = rows.at(-1)?.test_mse ?? null
    this.#execution.onEvent({ event: 'completed', run: run.name, seconds, test_mse })
    const stalled = stalledWarning(rows)
    if (stalled !== null) this.#execution.onEvent({ event: 'note', text: `warning: ${run.name}: ${stalled}` })
  }

  #onFailure(run: SweepRun, { reason: text, final }: FailedOutcome): void {
    const { retries, failFast } = this.#execution
    const attempt = this.#attempt
    const { log } = runFiles(run.folder)
    // The run's name is shown beside the reason, so its folder would only push the reason out of sight.
    const reason = text.replaceAll(`${run.folder}: `, '').replaceAll(`${run.folder}/`, '')
    // `final` is a mistake in the config, which another attempt would make again: see outcomeOf in launchers/attempt.ts.
    const mayRetry = !final && attempt <= retries && !this.#stop.signal.aborted
    if (mayRetry) this.#toRetry.push(run)
    else this.#failures.push({ name: run.name, attempts: attempt, reason, log })
    this.#execution.onEvent({ event: 'failed', run: run.name, attempt, again: mayRetry, reason, log })
    if (failFast && !mayRetry) this.#stop.abort(new Error('a run failed'))
  }

  #counts(): SweepCounts {
    const milliseconds = performance.now() - this.#began
    const [completed, failed] = [this.#completed.size, this.#failures.length]
    return {
      completed,
      failed,
      left: this.#launched.size - completed - failed,
      seconds: roundedSeconds(milliseconds),
      runs_per_hour: completed === 0 ? null : Math.round((3_600_000 * completed) / milliseconds),
    }
  }
}

function roundedSeconds(milliseconds: number): number {
  return Number((milliseconds / 1000).toFixed(3))
}

function epochEvent({ name, config }: SweepRun, { epoch, test_mse }: MetricsRow): SweepEvent {
  return { event: 'epoch', run: name, epoch, epochs: config.train.epochs, test_mse }
}

const pollMilliseconds = 500

interface FollowedRun {
  readonly run: SweepRun
  /** Identifies the content of metrics.csv at the last poll. */
  modified: string | undefined
  /** The last epoch that was reported. */
  epoch: number
}

/** Reports the new epochs of running runs by polling their folders, which works for every launcher. */
class EpochFollower {
  readonly #followed = new Map<string, FollowedRun>()
  readonly #onRow: (run: SweepRun, row: MetricsRow) => void
  #timer: NodeJS.Timeout | undefined

  constructor(onRow: (run: SweepRun, row: MetricsRow) => void) {
    this.#onRow = onRow
  }

  /** Follows a run from here on: the epochs of earlier attempts have been reported. */
  add(run: SweepRun): void {
    const epoch = readRows(run.folder).at(-1)?.epoch ?? 0
    this.#followed.set(run.name, { run, modified: undefined, epoch })
    this.#timer ??= setInterval(() => {
      for (const followed of this.#followed.values()) this.#reportNewRows(followed)
    }, pollMilliseconds)
  }

  remove(run: SweepRun): void {
    this.#followed.delete(run.name)
  }

  /** Reports the last epochs of a run that has ended, and stops following it. */
  finish(run: SweepRun): void {
    const followed = this.#followed.get(run.name)
    if (followed !== undefined) this.#reportNewRows(followed)
    this.remove(run)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#followed.clear()
  }

  #reportNewRows(followed: FollowedRun): void {
    const { run } = followed
    const modified = modificationOf(runFiles(run.folder).metrics)
    if (modified === followed.modified) return
    followed.modified = modified
    for (const row of readRows(run.folder).filter(({ epoch }) => epoch > followed.epoch)) {
      followed.epoch = row.epoch
      this.#onRow(run, row)
    }
  }
}

/** Returns the rows that a run has written; none if they cannot be read, as while a resume replaces the file. */
function readRows(folder: string): readonly MetricsRow[] {
  try {
    return readMetrics(runFiles(folder).metrics)
  } catch {
    return []
  }
}
