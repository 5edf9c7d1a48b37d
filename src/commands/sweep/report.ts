import { join } from 'node:path'
import { EigenaeError, Interruption } from '../../errors.js'
import { logName } from '../../runs/files.js'
import type { FailedRun, SweepResult } from '../../sweeps/execute.js'
import type { SavedSweep } from '../../sweeps/folder.js'
import type { SweepPlan } from '../../sweeps/plan.js'
import { commandLine } from '../../text/shell.js'
import { alignedTable } from '../../text/table.js'
import { reasonLine } from './display.js'

/** More lines than this would hide what they have in common. */
const shownFailures = 30

/** Every run that failed and why, and where the logs are. */
export function failureOf({ failures, counts }: SweepResult, runs: number, folder: string): EigenaeError {
  const rows = failures.slice(0, shownFailures).map(failureRow)
  const table = alignedTable(rows, ['left', 'right', 'left'], ['run', 'attempts', 'reason'])
  const more = failures.length - rows.length
  return new EigenaeError({
    problem: `${counts.failed} of ${runs} runs failed`,
    subject: folder,
    details: [...table.split('\n'), ...(more > 0 ? [`… and ${more} more`] : [])],
    hint: `Each run's log is ${join(folder, '<run>', logName)}. Once the cause is removed, --resume makes these runs again.`,
  })
}

function failureRow({ name, attempts, reason }: FailedRun): readonly string[] {
  return [name, String(attempts), reasonLine(reason)]
}

/** Says how to go on: the same command with --resume. */
export function interruptionOf(folder: string, config: string): Interruption {
  return new Interruption({
    problem: 'interrupted; every run keeps its last whole epoch',
    subject: folder,
    hint: `Go on with the same command and --resume (eigenae sweep --config ${commandLine([config])} … --resume).`,
  })
}

/** What the sweep file has gained and lost since its plan was saved. */
export function planChanges({ runs }: SweepPlan, saved: SavedSweep | null): readonly string[] {
  if (saved === null || saved.runs === null) return []
  const [before, now] = [new Set(saved.runs), new Set(runs.map(({ name }) => name))]
  const added = runs.filter(({ name }) => !before.has(name)).length
  const dropped = saved.runs.filter((name) => !now.has(name)).length
  return [
    ...(added > 0 ? [`${added} runs are new in the sweep file`] : []),
    ...(dropped > 0
      ? [`${dropped} runs are no longer in the sweep file; their folders stay as they are`]
      : []),
  ]
}
