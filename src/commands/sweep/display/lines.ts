import type { SweepEvent } from '../../../sweeps/events.js'
import { clock, significant, thousands } from '../../../text/numbers.js'
import { writeMessage } from '../../../text/output.js'
import { firstLine } from '../report.js'
import type { SweepProgress } from './progress.js'

/** A line for what ends, fails or waits: in a log of many runs, the starts and epochs would hide it. */
export class LineDisplay {
  readonly #progress: SweepProgress

  constructor(progress: SweepProgress) {
    this.#progress = progress
  }

  on(event: SweepEvent): void {
    this.#progress.on(event)
    const text = lineOf(event)
    if (text !== null) writeMessage(isEnd(event) ? `${text}  (${this.#progress.summary()})` : text)
  }

  stop(): void {}
}

function isEnd({ event }: SweepEvent): boolean {
  return event === 'completed' || event === 'failed'
}

/** What people are told of an event; null where that is too small for a line. */
export function lineOf(event: SweepEvent): string | null {
  switch (event.event) {
    case 'planned': {
      const { folder, runs, done, launcher, description } = event
      return `${folder}: ${runs} runs, ${done} done, ${launcher}: ${description}`
    }
    case 'completed': {
      const mse = event.test_mse === null ? '' : `  test MSE ${significant(event.test_mse)}`
      return `${event.run}: completed in ${event.seconds.toFixed(1)} s${mse}`
    }
    case 'failed': {
      const attempt = event.again ? `failed (attempt ${event.attempt}, tried again later)` : 'failed'
      return `${event.run}: ${attempt}: ${firstLine(event.reason)}`
    }
    case 'interrupted':
      return `${event.run}: interrupted`
    case 'requeued':
      return `${event.run}: waits again (${event.why})`
    case 'note':
      return event.text
    case 'finished': {
      const { completed, failed, left, seconds, runs_per_hour } = event
      if (completed + failed + left === 0) return null
      const rest = `${failed > 0 ? `, ${failed} failed` : ''}${left > 0 ? `, ${left} left` : ''}`
      const pace = runs_per_hour === null ? '' : `, ${thousands(runs_per_hour)} runs an hour`
      return `${completed} runs completed${rest} in ${clock(seconds)}${pace}`
    }
    default:
      return null
  }
}
