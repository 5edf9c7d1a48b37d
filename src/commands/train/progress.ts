import { SingleBar } from 'cli-progress'
import type { EpochProgress } from '../../engines/engine.js'
import { significant, thousands } from '../../terminal/numbers.js'
import { writeMessage } from '../../terminal/output.js'
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

function barDisplay({ epochs, images, batchSize }: ProgressOptions): ProgressDisplay {
  const steps = Math.ceil(images / batchSize)
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} epoch {epoch} · step {step} · {speed} images/s · loss {loss} · {left} left',
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    emptyOnZero: true,
  })
  let current = 0
  let started = 0
  let startOfAll = 0
  let doneBefore = 0
  const show = (imagesDone: number, loss: string) => {
    const now = performance.now()
    const total = (current - 1) * images + imagesDone
    const pace = (total - doneBefore) / Math.max(now - startOfAll, 1)
    bar.update(total, {
      epoch: `${current}/${epochs}`,
      step: `${Math.ceil(imagesDone / batchSize)}/${steps}`,
      speed: thousands((imagesDone / Math.max(now - started, 1)) * 1000),
      loss,
      left: pace > 0 ? clock((epochs * images - total) / pace / 1000) : '…',
    })
  }
  return {
    onEpochStart: (epoch) => {
      current = epoch
      started = performance.now()
      if (startOfAll === 0) {
        startOfAll = started
        doneBefore = (epoch - 1) * images
        bar.start(epochs * images, doneBefore, {
          epoch: `${epoch}/${epochs}`,
          step: '0',
          speed: '…',
          loss: '…',
          left: '…',
        })
      }
    },
    onProgress: ({ imagesDone, loss }: EpochProgress) => show(imagesDone, significant(loss)),
    onEpoch: ({ losses }) => show(images, significant(losses.loss)),
    stop: () => bar.stop(),
  }
}

/** 83 s → "1:23". */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
