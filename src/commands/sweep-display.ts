import type { SweepRun } from '../launchers/launcher.js'
import type { SweepEvent } from '../sweeps/sweep.js'
import { Bars, timeLeft } from '../text/bars.js'
import { clock, count, shortened, significant, thousands } from '../text/format.js'
import { writeJsonLine, writeMessage } from '../text/output.js'
import { truncate } from '../text/shorten.js'

const refreshMilliseconds = 250

/**
 * Shows a sweep while it runs. `stop` removes the bars from the terminal.
 *
 * Prints a line of JSON per event to stdout. Otherwise prints lines to stderr, and on a terminal draws a bar for the sweep and
 * below it one for each running run, as many as the terminal has lines for.
 */
export function sweepDisplay(runs: readonly SweepRun[], json: boolean) {
  if (json) return { onEvent: writeJsonLine, stop: () => {} }
  const progress = new SweepProgress(runs)
  const bars = process.stderr.isTTY ? new Bars() : null
  let timer: NodeJS.Timeout | undefined
  const draw = () => {
    const { runs, completed, failed, running } = progress
    const lines = Math.max(1, (process.stderr.rows ?? 24) - 4)
    const sweep = { done: completed + failed, total: runs, text: progress.summary(), cells: 24 }
    bars?.show([sweep, ...[...running.values()].slice(0, lines).map(barOf)])
  }
  const stop = () => {
    clearInterval(timer)
    bars?.stop()
  }
  const onEvent = (event: SweepEvent) => {
    progress.on(event)
    if (event.event === 'finished') stop()
    const text = lineOf(event)
    // Bars have the summary.
    const isSummed = bars === null && (event.event === 'completed' || event.event === 'failed')
    if (text !== null) writeMessage(isSummed ? `${text}  (${progress.summary()})` : text)
    if (bars === null || event.event !== 'planned' || event.done === event.runs) return
    draw()
    timer = setInterval(draw, refreshMilliseconds)
  }
  return { onEvent, stop }
}

function barOf({ run, where, epoch, epochs, testMse }: RunningRun) {
  const mse = testMse === null ? '' : ` · test MSE ${significant(testMse)}`
  const text = `${run} · epoch ${epoch}/${epochs}${mse} · ${where}`
  return { done: epoch, total: epochs, text, cells: 10, indent: 2 }
}

/** Returns the line for an event. Starts and epochs have none, as they would hide the others in the log of many runs. */
function lineOf(event: SweepEvent): string | null {
  switch (event.event) {
    case 'planned': {
      const { folder, runs, done, launcher, description } = event
      return `${folder}: ${count(runs, 'run')}, ${thousands(done)} done, ${launcher}: ${description}`
    }
    case 'rung': {
      const { rung, rungs, epochs, trials, runs } = event
      return `rung ${rung} of ${rungs}: ${count(trials.length, 'trial')} to ${count(epochs, 'epoch')}, ${count(runs.length, 'run')} to train`
    }
    case 'halved': {
      const { metric, rungs, epochs, epochs_without } = event
      const sizes = rungs.map(
        ({ epochs, trials }) => `${count(trials.length, 'trial')} to ${count(epochs, 'epoch')}`,
      )
      const saved = `${thousands(epochs)} epochs instead of ${thousands(epochs_without)}, ${Math.round(100 * (1 - epochs / epochs_without))} % saved`
      const survivors = shortened(rungs.at(-1)!.trials, 10).join(', ')
      return `halving by ${metric}: ${sizes.join(', ')}; ${saved}\nlast rung: ${survivors}`
    }
    case 'completed': {
      const mse = event.test_mse === null ? '' : `  test MSE ${significant(event.test_mse)}`
      return `${event.run}: completed in ${event.seconds.toFixed(1)} s${mse}`
    }
    case 'failed': {
      const attempt = event.again ? `failed (attempt ${event.attempt}, retried later)` : 'failed'
      return `${event.run}: ${attempt}: ${reasonLine(event.reason)}`
    }
    case 'interrupted':
      return `${event.run}: interrupted`
    case 'requeued':
      return `${event.run}: waiting again (${event.why})`
    case 'note':
      return event.text
    case 'finished': {
      const { completed, failed, left, seconds, runs_per_hour } = event
      if (completed + failed + left === 0) return null
      const rest = `${failed > 0 ? `, ${failed} failed` : ''}${left > 0 ? `, ${left} left` : ''}`
      const pace = runs_per_hour === null ? '' : `, ${count(runs_per_hour, 'run')} per hour`
      return `${count(completed, 'run')} completed${rest} in ${clock(seconds)}${pace}`
    }
    default:
      return null
  }
}

// Columns of a terminal.
const reasonWidth = 200

/** Returns a reason's first line; of a long one both ends, because a path comes first and the problem last. */
export function reasonLine(reason: string): string {
  return truncate(reason.split('\n')[0]!, reasonWidth, 1 / 3)
}

interface RunningRun {
  readonly run: string
  readonly where: string
  readonly epochs: number
  /** 0 before the first epoch of this attempt, which is not epoch 1 in a resumed run. */
  epoch: number
  testMse: number | null
}

/** Counts runs and epochs from the events. */
class SweepProgress {
  readonly running = new Map<string, RunningRun>()
  runs = 0
  completed = 0
  failed = 0
  #epochsOf: ReadonlyMap<string, number>
  /** Epochs left by run. A resumed run counts in full until its first new epoch. */
  #left: Map<string, number>
  readonly #began = performance.now()
  #epochsSeen = 0
  /** The epochs that the runs of a halving have from the rung before. */
  #rungBefore = 0

  constructor(runs: readonly SweepRun[]) {
    this.#epochsOf = new Map(runs.map(({ name, config }) => [name, config.train.epochs]))
    this.#left = new Map(this.#epochsOf)
  }

  on(event: SweepEvent): void {
    switch (event.event) {
      case 'planned':
        this.runs = event.runs
        this.completed = event.done
        break
      case 'rung': {
        const { runs, epochs } = event
        ;[this.runs, this.completed, this.failed] = [runs.length, 0, 0]
        this.#epochsOf = new Map(runs.map((run) => [run, epochs]))
        this.#left = new Map(runs.map((run) => [run, epochs - this.#rungBefore]))
        this.#rungBefore = epochs
        break
      }
      case 'started': {
        const { run, where } = event
        const epochs = this.#epochsOf.get(run) ?? 0
        this.running.set(run, { run, where, epochs, epoch: 0, testMse: null })
        break
      }
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

  #onEpoch(run: string, epoch: number, testMse: number | null): void {
    const state = this.running.get(run)
    if (state === undefined || epoch <= state.epoch) return
    this.#epochsSeen += state.epoch === 0 ? 1 : epoch - state.epoch
    this.#left.set(run, state.epochs - epoch)
    state.epoch = epoch
    state.testMse = testMse
  }

  /** "12/40 done · 2 running · 1 failed · 1:20 left" */
  summary(): string {
    const parts = [`${this.completed}/${this.runs} done`, `${this.running.size} running`]
    if (this.failed > 0) parts.push(`${this.failed} failed`)
    const left = [...this.#left.values()].reduce((sum, epochs) => sum + epochs, 0)
    return [...parts, timeLeft(this.#epochsSeen, left, this.#began)].join(' · ')
  }
}
