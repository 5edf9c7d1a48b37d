import type { LaunchJob } from '../../../launchers/launcher.js'
import type { SweepEvent, SweepObserver } from '../../../sweeps/events.js'
import { writeJsonLine } from '../../../text/output.js'
import { BarDisplay } from './bars.js'
import { LineDisplay } from './lines.js'
import { SweepProgress } from './progress.js'

/** What `sweep` shows while it runs; `stop` leaves the terminal as it was. */
export interface SweepDisplay extends SweepObserver {
  stop(): void
}

/** A line of JSON an event on stdout; or, on stderr, bars on a terminal and plain lines elsewhere. */
export function sweepDisplay(jobs: readonly LaunchJob[], json: boolean): SweepDisplay {
  if (json) return { on: (event: SweepEvent) => writeJsonLine(event), stop: () => {} }
  const progress = new SweepProgress(jobs)
  return process.stderr.isTTY ? new BarDisplay(progress) : new LineDisplay(progress)
}
