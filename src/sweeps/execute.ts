import { setMaxListeners } from 'node:events'
import type { LaunchEnd, Launcher, LaunchJob, LaunchWatcher, Outcome } from '../launchers/launcher.js'
import { runFiles } from '../runs/files.js'
import type { MetricsRow } from '../runs/tables.js'
import { stalledWarning } from '../training/stalled.js'
import type { SweepCounts, SweepEvent, SweepObserver } from './events.js'
import { Follower, rowsOf } from './follow.js'

export interface SweepJob {
  readonly jobs: readonly LaunchJob[]
  readonly launcher: Launcher
  /** How often a failed run is tried again. */
  readonly retries: number
  readonly failFast: boolean
  readonly observer: SweepObserver
  /** Aborted with an Interruption as its reason. */
  readonly signal: AbortSignal
}

export interface FailedRun {
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

/** Runs all jobs, the failed ones again when the others are through, and tells what happens. Throws nothing of a run's. */
export async function executeSweep(sweep: SweepJob): Promise<SweepResult> {
  const execution = new Execution(sweep)
  try {
    return await execution.run()
  } finally {
    execution.dispose()
  }
}

interface RunningJob {
  readonly attempt: number
  readonly started: number
}

/** What a sweep keeps in mind: the running jobs and the failed ones, not those that are through. */
class Execution {
  readonly #sweep: SweepJob
  readonly #started = performance.now()
  readonly #running = new Map<string, RunningJob>()
  readonly #failures: FailedRun[] = []
  readonly #stop = new AbortController()
  readonly #follower: Follower
  #completed = 0
  #told = Promise.resolve()

  constructor(sweep: SweepJob) {
    this.#sweep = sweep
    setMaxListeners(0, this.#stop.signal)
    if (sweep.signal.aborted) this.#interrupt()
    sweep.signal.addEventListener('abort', this.#interrupt)
    this.#follower = new Follower((job, row) => this.#tell(epochEvent(job, row)))
  }

  dispose(): void {
    this.#follower.stop()
    this.#sweep.signal.removeEventListener('abort', this.#interrupt)
  }

  readonly #interrupt = () => this.#stop.abort(this.#sweep.signal.reason)

  async run(): Promise<SweepResult> {
    const { launcher, retries, jobs } = this.#sweep
    let round = jobs
    let end: LaunchEnd = 'ended'
    for (let attempt = 1; round.length > 0 && attempt <= retries + 1; attempt++) {
      const again: LaunchJob[] = []
      end = await launcher.launch(round, this.#watcher(attempt, again), this.#stop.signal)
      await this.#told
      round = this.#stop.signal.aborted || end === 'detached' ? [] : again
    }
    const counts = this.#counts()
    this.#sweep.observer.on({ event: 'finished', ...counts })
    return { end, counts, failures: this.#failures }
  }

  #watcher(attempt: number, again: LaunchJob[]): LaunchWatcher {
    return {
      onStart: (job, where) => {
        this.#running.set(job.name, { attempt, started: performance.now() })
        this.#follower.add(job)
        this.#tell({ event: 'started', run: job.name, attempt, where })
      },
      onRequeue: (job, why) => {
        this.#running.delete(job.name)
        this.#follower.remove(job)
        this.#tell({ event: 'requeued', run: job.name, why })
      },
      onNote: (text) => this.#tell({ event: 'note', text }),
      onEnd: (job, outcome) => this.#onEnd(job, outcome, attempt, again),
    }
  }

  #onEnd(job: LaunchJob, outcome: Outcome, attempt: number, again: LaunchJob[]): void {
    const { started } = this.#running.get(job.name) ?? { started: performance.now() }
    this.#running.delete(job.name)
    const rows = this.#follower.finish(job)
    this.#tell(rows.then((last) => last.map((row) => epochEvent(job, row))))
    if (outcome.kind === 'interrupted') this.#tell({ event: 'interrupted', run: job.name })
    if (outcome.kind === 'failed') this.#onFailure(job, outcome, attempt, again)
    if (outcome.kind === 'completed') this.#onCompletion(job, performance.now() - started)
  }

  #onCompletion(job: LaunchJob, milliseconds: number): void {
    this.#completed++
    const seconds = Number((milliseconds / 1000).toFixed(3))
    this.#tell(
      rowsOf(job.folder).then((rows) => {
        const test_mse = rows.at(-1)?.test_mse ?? null
        const stalled = stalledWarning(rows)
        return [
          { event: 'completed', run: job.name, seconds, test_mse },
          ...(stalled === null ? [] : [{ event: 'note', text: `warning: ${job.name}: ${stalled}` } as const]),
        ]
      }),
    )
  }

  #onFailure(
    job: LaunchJob,
    { reason: whole, final }: Extract<Outcome, { kind: 'failed' }>,
    attempt: number,
    again: LaunchJob[],
  ): void {
    const { retries, failFast } = this.#sweep
    const { log } = runFiles(job.folder)
    // The run is named beside it: its folder would only push the reason away.
    const reason = whole.replaceAll(`${job.folder}: `, '').replaceAll(`${job.folder}/`, '')
    const retry = !final && attempt <= retries && !this.#stop.signal.aborted
    if (retry) again.push(job)
    else this.#failures.push({ name: job.name, attempts: attempt, reason, log })
    this.#tell({ event: 'failed', run: job.name, attempt, again: retry, reason, log })
    if (failFast && !retry) this.#stop.abort(new Error('a run failed'))
  }

  /** In the order of the calls, though a run's last rows are read from its file first; no launcher waits for that. */
  #tell(event: SweepEvent | Promise<SweepEvent | readonly SweepEvent[]>): void {
    this.#told = this.#told.then(async () => {
      for (const each of [await event].flat()) this.#sweep.observer.on(each)
    })
  }

  #counts(): SweepCounts {
    const seconds = (performance.now() - this.#started) / 1000
    const failed = this.#failures.length
    return {
      completed: this.#completed,
      failed,
      left: this.#sweep.jobs.length - this.#completed - failed,
      seconds: Number(seconds.toFixed(3)),
      runs_per_hour: this.#completed === 0 ? null : Math.round((3600 * this.#completed) / seconds),
    }
  }
}

function epochEvent({ name, config }: LaunchJob, { epoch, test_mse }: MetricsRow): SweepEvent {
  return { event: 'epoch', run: name, epoch, epochs: config.train.epochs, test_mse }
}
