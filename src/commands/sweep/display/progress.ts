import type { SweepEvent } from '../../../sweeps/events.js'
import type { LaunchJob } from '../../../sweeps/launchers/launcher.js'

export interface RunningRun {
  readonly run: string
  readonly where: string
  readonly epochs: number
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
  readonly #started = performance.now()
  #epochsLeft: number
  #epochsSeen = 0

  constructor(jobs: readonly LaunchJob[]) {
    this.#epochsOf = new Map(jobs.map(({ name, config }) => [name, config.train.epochs]))
    this.#epochsLeft = jobs.reduce((sum, { config }) => sum + config.train.epochs, 0)
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
        this.#onEpoch(event.run, this.#epochsOf.get(event.run) ?? 0, event.test_mse)
        this.running.delete(event.run)
        break
      case 'failed':
        if (!event.again) this.#giveUp(event.run)
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
    return pace > 0 ? clock(this.#epochsLeft / pace / 1000) : '…'
  }

  #begun(run: string, where: string): RunningRun {
    return { run, where, epochs: this.#epochsOf.get(run) ?? 0, epoch: 0, testMse: null }
  }

  #onEpoch(run: string, epoch: number, testMse: number | null): void {
    const state = this.running.get(run)
    if (state === undefined || epoch < state.epoch) return
    this.#epochsSeen += epoch - state.epoch
    this.#epochsLeft -= epoch - state.epoch
    state.epoch = epoch
    state.testMse = testMse
  }

  #giveUp(run: string): void {
    const state = this.running.get(run)
    this.failed++
    this.#epochsLeft -= (this.#epochsOf.get(run) ?? 0) - (state?.epoch ?? 0)
  }
}

/** 83 s → "1:23", 7384 s → "2:03:04". */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const parts = hours > 0 ? [hours, String(minutes).padStart(2, '0')] : [minutes]
  return [...parts, String(whole % 60).padStart(2, '0')].join(':')
}
