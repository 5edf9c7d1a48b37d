import { join } from 'node:path'
import type { RunState } from '../../sweeps/inspect.js'
import type { SweepPlan } from '../../sweeps/plan.js'
import { writeMessage } from '../../text/output.js'
import { commandLine } from '../../text/shell.js'

/** Beyond that the table is no overview any more, and takes long to read in. */
const shown = { groups: 40, runs: 1000 }

/** The groups side by side, as `compare` prints them, and the command that shows more. */
export async function writeComparison(
  plan: SweepPlan,
  states: readonly RunState[],
  folder: string,
): Promise<void> {
  const groups = completedGroups(plan, states, folder)
  if (groups.length === 0) return
  if (groups.length <= shown.groups && plan.runs.length <= shown.runs) {
    const { compare } = await import('../compare/compare.js')
    await compare(groups, { json: false })
  }
  const more = ['compare', folder, '--out', join(folder, 'comparison')]
  writeMessage(`more: ${commandLine(['eigenae', ...more])}`)
}

/** The folders of the groups with a completed run: `compare` refuses others. */
function completedGroups(plan: SweepPlan, states: readonly RunState[], folder: string): readonly string[] {
  const complete = new Set(plan.runs.filter((_, place) => states[place] === 'done').map(({ group }) => group))
  return plan.groups.filter((group) => complete.has(group)).map(({ name }) => join(folder, name))
}
