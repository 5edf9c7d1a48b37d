import type { SweepEvent } from '../../../sweeps/events.js'
import { Bars } from '../../../text/bars.js'
import { significant } from '../../../text/numbers.js'
import { writeMessage } from '../../../text/output.js'
import { lineOf } from './lines.js'
import type { RunningRun, SweepProgress } from './progress.js'

const refreshMilliseconds = 250

/** One bar for the sweep, and under it a bar for each running run, as many as the terminal has room for. */
export class BarDisplay {
  readonly #progress: SweepProgress
  readonly #bars = new Bars()
  #timer: NodeJS.Timeout | undefined

  constructor(progress: SweepProgress) {
    this.#progress = progress
  }

  on(event: SweepEvent): void {
    this.#progress.on(event)
    if (event.event === 'finished') this.stop()
    const text = lineOf(event)
    if (text !== null) writeMessage(text)
    if (event.event === 'planned' && event.done < event.runs) this.#begin()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#bars.stop()
  }

  #begin(): void {
    this.#draw()
    this.#timer = setInterval(() => this.#draw(), refreshMilliseconds)
  }

  #draw(): void {
    const { runs, completed, failed, running } = this.#progress
    const room = Math.max(1, (process.stderr.rows ?? 24) - 4)
    const sweep = { done: completed + failed, total: runs, text: this.#progress.summary(), cells: 24 }
    this.#bars.show([sweep, ...[...running.values()].slice(0, room).map(barOf)])
  }
}

function barOf({ run, where, epoch, epochs, testMse }: RunningRun) {
  const mse = testMse === null ? '' : ` · test MSE ${significant(testMse)}`
  const text = `${run} · epoch ${epoch}/${epochs}${mse} · ${where}`
  return { done: epoch, total: epochs, text, cells: 10, indent: 2 }
}
