import type { EpochProgress } from '../../engines/engine.js'
import { Bars } from '../../text/bars.js'
import { clock, significant, thousands } from '../../text/format.js'
import { writeMessage } from '../../text/output.js'
import type { EpochReport, RunObserver } from '../../training/run.js'

/** From this many columns on, the bar has step and speed; with fewer, they would push the other figures out of sight. */
const wideColumns = 120

export interface ProgressOptions {
  readonly epochs: number
  readonly images: number
  readonly batchSize: number
  readonly quiet: boolean
}

/** Shows the progress of `train`; `stop` restores the terminal. */
export interface ProgressDisplay extends RunObserver {
  stop(): void
}

/** Returns a bar on a terminal, a line per epoch otherwise, and nothing with --quiet. All go to stderr. */
export function progressDisplay(options: ProgressOptions): ProgressDisplay {
  if (options.quiet)
    return { onEpochStart: () => {}, onProgress: () => {}, onEpoch: () => {}, stop: () => {} }
  return process.stderr.isTTY ? new EpochBar(options) : lineDisplay(options)
}

function lineDisplay({ epochs }: ProgressOptions): ProgressDisplay {
  return {
    onEpochStart: () => {},
    onProgress: () => {},
    onEpoch: (report) => writeMessage(epochLine(report, epochs)),
    stop: () => {},
  }
}

function epochLine(
  { epoch, losses, evaluation, trainSeconds, imagesPerSecond }: EpochReport,
  epochs: number,
): string {
  const { mse, spectrum } = evaluation
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${significant(losses.loss)}`,
    `test MSE ${significant(mse)}`,
    `effective rank ${spectrum.effectiveRank.toFixed(2)}`,
    `${trainSeconds.toFixed(2)} s`,
    `${thousands(imagesPerSecond)} images/s`,
  ].join('  ')
}

/** One bar over all epochs of a run. A resumed run starts at its epoch. */
class EpochBar implements ProgressDisplay {
  readonly #options: ProgressOptions
  readonly #bars = new Bars()
  #epoch = 0
  #epochStarted = 0
  #first: { readonly started: number; readonly images: number } | null = null
  #speed: number | null = null
  /** Test MSE and effective rank of the last epoch; null before the end of the first one. */
  #last: string | null = null
  /** Those beside the bar, which are of the epoch before the one that is being trained. */
  #shown: string | null = null

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  onEpochStart(epoch: number): void {
    const { epochs, images } = this.#options
    this.#epoch = epoch
    this.#epochStarted = performance.now()
    this.#shown = this.#last
    if (this.#first !== null) return
    const before = (epoch - 1) * images
    this.#first = { started: this.#epochStarted, images: before }
    const speed = this.#isWide ? ' · step … · … images/s' : ''
    const text = `epoch ${epoch}/${epochs}${speed} · loss … · … left`
    this.#bars.show([{ done: before, total: epochs * images, text, cells: this.#cells }])
  }

  onProgress({ imagesDone, loss }: EpochProgress): void {
    const { images } = this.#options
    // At the end of an epoch the elapsed time may include the evaluation; onEpoch has the right speed.
    if (imagesDone > 0 && imagesDone < images)
      this.#speed = (1000 * imagesDone) / (performance.now() - this.#epochStarted)
    this.#show(imagesDone, loss)
  }

  /** Draws at once, because short epochs end faster than the bar is redrawn. */
  onEpoch({ losses, imagesPerSecond, evaluation }: EpochReport): void {
    this.#last = `test MSE ${significant(evaluation.mse)} · rank ${evaluation.spectrum.effectiveRank.toFixed(2)}`
    this.#speed = imagesPerSecond
    this.#show(this.#options.images, losses.loss)
    this.#bars.draw()
  }

  stop(): void {
    this.#bars.stop()
  }

  #show(imagesDone: number, loss: number): void {
    const { epochs, images, batchSize } = this.#options
    const total = (this.#epoch - 1) * images + imagesDone
    const { started, images: before } = this.#first!
    const pace = (total - before) / (performance.now() - started)
    const text = [
      `epoch ${this.#epoch}/${epochs}`,
      ...(this.#isWide
        ? [
            `step ${Math.ceil(imagesDone / batchSize)}/${Math.ceil(images / batchSize)}`,
            `${this.#speed === null ? '…' : thousands(this.#speed)} images/s`,
          ]
        : []),
      `loss ${significant(loss)}`,
      `${pace > 0 ? clock((epochs * images - total) / pace / 1000) : '…'} left`,
      ...(this.#shown === null ? [] : [this.#shown]),
    ].join(' · ')
    this.#bars.show([{ done: total, total: epochs * images, text, cells: this.#cells }])
  }

  get #isWide(): boolean {
    return (process.stderr.columns ?? wideColumns) >= wideColumns
  }

  get #cells(): number {
    if (!this.#isWide) return 6
    return (process.stderr.columns ?? wideColumns) < 140 ? 12 : 20
  }
}
