import { relative } from 'node:path'
import { EigenaeError, Interruption } from '../../errors.js'
import type { FailedRun, SweepResult } from '../../sweeps/execute.js'
import type { SavedSweep } from '../../sweeps/folder.js'
import type { SweepPlan } from '../../sweeps/plan.js'
import { commandLine } from '../../text/shell.js'
import { alignedTable } from '../../text/table.js'

/** Ten thousand lines of the same reason help nobody. */
const shownFailures = 30

/** Every run that failed, why, and where its log is. */
export function failureOf({ failures, counts }: SweepResult, runs: number, folder: string): EigenaeError {
  const rows = failures.slice(0, shownFailures).map(failureRow)
  const table = alignedTable(rows, ['left', 'right', 'left', 'left'], ['run', 'attempts', 'reason', 'log'])
  const more = failures.length - rows.length
  return new EigenaeError({
    what: `${counts.failed} of ${runs} runs failed`,
    where: folder,
    details: [...table.split('\n'), ...(more > 0 ? [`… and ${more} more`] : [])],
    hint: 'Once that is mended, --resume makes these runs again and keeps the others.',
  })
}

function failureRow({ name, attempts, reason, log }: FailedRun): readonly string[] {
  return [name, String(attempts), firstLine(reason), relative('.', log)]
}

export function firstLine(reason: string): string {
  const line = reason.split('\n')[0]!
  return line.length > 120 ? `${line.slice(0, 119)}…` : line
}

/** Says how to go on: the same command with --resume. */
export function interruptionOf(folder: string, config: string): Interruption {
  return new Interruption({
    what: 'interrupted; every run keeps its last whole epoch',
    where: folder,
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
