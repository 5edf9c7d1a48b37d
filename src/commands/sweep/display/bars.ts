import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import type { SweepEvent } from '../../../sweeps/events.js'
import { significant } from '../../../text/numbers.js'
import { lineOf } from './lines.js'
import type { RunningRun, SweepProgress } from './progress.js'

const refreshMilliseconds = 250

/** One bar for the sweep, and under it a line for each running job, as many as the terminal has room for. */
export class BarDisplay {
  readonly #progress: SweepProgress
  readonly #bars = new MultiBar(
    {
      stream: process.stderr,
      format: '{bar} {summary}',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      emptyOnZero: true,
    },
    Presets.shades_classic,
  )
  readonly #lines: SingleBar[] = []
  #main: SingleBar | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(progress: SweepProgress) {
    this.#progress = progress
  }

  on(event: SweepEvent): void {
    this.#progress.on(event)
    if (event.event === 'finished') this.stop()
    const text = lineOf(event)
    if (text !== null) this.#say(text)
    if (event.event === 'planned' && event.done < event.runs) this.#begin(event.runs)
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#main !== undefined) this.#bars.stop()
    this.#main = undefined
  }

  #begin(runs: number): void {
    this.#main = this.#bars.create(runs, 0, { summary: '' })
    this.#timer = setInterval(() => this.#draw(), refreshMilliseconds)
  }

  /** Above the bars, where there are some. */
  #say(text: string): void {
    if (this.#main === undefined) process.stderr.write(`${text}\n`)
    else this.#bars.log(`${text}\n`)
  }

  #draw(): void {
    const { completed, failed, running } = this.#progress
    this.#main?.update(completed + failed, { summary: this.#progress.summary() })
    const room = Math.max(1, (process.stderr.rows ?? 24) - 4)
    const shown = [...running.values()].slice(0, room)
    this.#resize(shown.length)
    for (const [place, run] of shown.entries()) {
      this.#lines[place]!.setTotal(run.epochs)
      this.#lines[place]!.update(run.epoch, { text: textOf(run) })
    }
  }

  #resize(count: number): void {
    while (this.#lines.length > count) this.#bars.remove(this.#lines.pop()!)
    while (this.#lines.length < count) {
      this.#lines.push(this.#bars.create(1, 0, { text: '' }, { format: '  {bar} {text}', barsize: 10 }))
    }
  }
}

function textOf({ run, where, epoch, epochs, testMse }: RunningRun): string {
  const mse = testMse === null ? '' : ` · test MSE ${significant(testMse)}`
  return `${run} · epoch ${epoch}/${epochs}${mse} · ${where}`
}
