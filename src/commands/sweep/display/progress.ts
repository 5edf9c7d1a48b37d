import type { LaunchJob } from '../../../launchers/launcher.js'
import type { SweepEvent } from '../../../sweeps/events.js'
import { clock } from '../../../text/numbers.js'

export interface RunningRun {
  readonly run: string
  readonly where: string
  readonly epochs: number
  /** 0 until its first new one: a run that goes on begins in the middle. */
  epoch: number
  testMse: number | null
}

/** Counts what has happened, for both displays. */
export class SweepProgress {
  readonly running = new Map<string, RunningRun>()
  runs = 0
  completed = 0
  failed = 0
  readonly #epochsOf: ReadonlyMap<string, number>
  /** A run each: epochs that are to come, as far as is known. */
  readonly #left: Map<string, number>
  readonly #started = performance.now()
  #epochsSeen = 0

  constructor(jobs: readonly LaunchJob[]) {
    this.#epochsOf = new Map(jobs.map(({ name, config }) => [name, config.train.epochs]))
    this.#left = new Map(this.#epochsOf)
  }

  on(event: SweepEvent): void {
    switch (event.event) {
      case 'planned':
        this.runs = event.runs
        this.completed = event.done
        break
      case 'started':
        this.running.set(event.run, this.#begun(event.run, event.where))
        break
      case 'epoch':
        this.#onEpoch(event.run, event.epoch, event.test_mse)
        break
      case 'completed':
        this.completed++
        this.#epochsSeen += this.#left.get(event.run) ?? 0
        this.#left.delete(event.run)
        this.running.delete(event.run)
        break
      case 'failed':
        if (!event.again) this.failed++
        if (!event.again) this.#left.delete(event.run)
        this.running.delete(event.run)
        break
      case 'interrupted':
      case 'requeued':
        this.running.delete(event.run)
    }
  }

  /** "12/40 done · 2 running · 1 failed · 1:20 left" */
  summary(): string {
    const parts = [`${this.completed}/${this.runs} done`, `${this.running.size} running`]
    if (this.failed > 0) parts.push(`${this.failed} failed`)
    return [...parts, `${this.timeLeft()} left`].join(' · ')
  }

  /** By the pace of the epochs so far. */
  timeLeft(): string {
    const pace = this.#epochsSeen / (performance.now() - this.#started)
    const left = [...this.#left.values()].reduce((sum, epochs) => sum + epochs, 0)
    return pace > 0 ? clock(left / pace / 1000) : '…'
  }

  #begun(run: string, where: string): RunningRun {
    return { run, where, epochs: this.#epochsOf.get(run) ?? 0, epoch: 0, testMse: null }
  }

  #onEpoch(run: string, epoch: number, testMse: number | null): void {
    const state = this.running.get(run)
    if (state === undefined || epoch <= state.epoch) return
    this.#epochsSeen += state.epoch === 0 ? 1 : epoch - state.epoch
    this.#left.set(run, state.epochs - epoch)
    state.epoch = epoch
    state.testMse = testMse
  }
}
