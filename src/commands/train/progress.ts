import { Presets, SingleBar } from 'cli-progress'
import { writeMessage } from '../../terminal/output.js'
import { clock, significant, thousands } from '../../text/numbers.js'
import type { EpochReport, RunObserver } from '../../training/run.js'

export interface ProgressOptions {
  readonly epochs: number
  readonly images: number
  readonly batchSize: number
  readonly quiet: boolean
}

/** What `train` shows while it trains; `stop` leaves the terminal as it was. */
export interface ProgressDisplay extends RunObserver {
  stop(): void
}

/** A bar on a terminal, a line an epoch elsewhere, nothing where it shall be quiet. Always on stderr. */
export function progressDisplay(options: ProgressOptions): ProgressDisplay {
  if (options.quiet)
    return { onEpochStart: () => {}, onProgress: () => {}, onEpoch: () => {}, stop: () => {} }
  return process.stderr.isTTY ? barDisplay(options) : lineDisplay(options)
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
  const { testMse, spectrum } = evaluation
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${significant(losses.loss)}`,
    `test MSE ${significant(testMse)}`,
    `effective rank ${spectrum.effectiveRank.toFixed(2)}`,
    `${trainSeconds.toFixed(2)} s`,
    `${thousands(imagesPerSecond)} images/s`,
  ].join('  ')
}

function barDisplay(options: ProgressOptions): ProgressDisplay {
  const bar = new EpochBar(options)
  return {
    onEpochStart: (epoch) => bar.startEpoch(epoch),
    onProgress: ({ imagesDone, loss }) => bar.show(imagesDone, loss),
    onEpoch: ({ losses }) => bar.show(options.images, losses.loss),
    stop: () => bar.stop(),
  }
}

/** One bar over all epochs of a run; a resumed run begins where it was. */
class EpochBar {
  readonly #options: ProgressOptions
  readonly #bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} epoch {epoch} · step {step} · {speed} images/s · loss {loss} · {left} left',
      barsize: process.stderr.columns < 80 ? 5 : 20,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      emptyOnZero: true,
    },
    Presets.shades_classic,
  )
  #epoch = 0
  #epochStarted = 0
  #firstStarted = 0
  #imagesBefore = 0
  #speed = 0

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  startEpoch(epoch: number): void {
    const { epochs, images } = this.#options
    this.#epoch = epoch
    this.#epochStarted = performance.now()
    if (this.#bar.isActive) return
    this.#firstStarted = this.#epochStarted
    this.#imagesBefore = (epoch - 1) * images
    const unknown = { step: '…', speed: '…', loss: '…', left: '…' }
    this.#bar.start(epochs * images, this.#imagesBefore, { epoch: `${epoch}/${epochs}`, ...unknown })
  }

  show(imagesDone: number, loss: number): void {
    const { epochs, images, batchSize } = this.#options
    const now = performance.now()
    const total = (this.#epoch - 1) * images + imagesDone
    // Not at an epoch's end, when the time of its evaluation has passed as well.
    if (imagesDone < images) this.#speed = imagesDone / (now - this.#epochStarted)
    const pace = (total - this.#imagesBefore) / (now - this.#firstStarted)
    this.#bar.update(total, {
      epoch: `${this.#epoch}/${epochs}`,
      step: `${Math.ceil(imagesDone / batchSize)}/${Math.ceil(images / batchSize)}`,
      speed: thousands(this.#speed * 1000),
      loss: significant(loss),
      left: pace > 0 ? clock((epochs * images - total) / pace / 1000) : '…',
    })
  }

  stop(): void {
    this.#bar.stop()
  }
}
