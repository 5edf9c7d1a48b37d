import { join } from 'node:path'
import { configDifferences } from '../../config/difference.js'
import { valueAt } from '../../config/mistakes.js'
import type { Config } from '../../config/schema.js'
import type { RunState } from '../../sweeps/inspect.js'
import type { PlannedGroup, SweepPlan } from '../../sweeps/plan.js'
import { writeJsonLine, writeMessage, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'

/** Every run of a plan: its name, what sets it apart, its folder, and whether it is done. */
export function writePlan(plan: SweepPlan, states: readonly RunState[], folder: string, json: boolean): void {
  const differing = differencesByGroup(plan)
  const rows = plan.runs.map(({ name, group, config }, place) => ({
    run: name,
    differs: { ...differing.get(group), seed: config.seed },
    folder: join(folder, name),
    state: states[place] === 'done' ? 'done' : 'to do',
  }))
  if (json) {
    for (const row of rows) writeJsonLine({ event: 'run', ...row })
    return
  }
  writeResult(
    alignedTable(
      rows.map((row) => [row.run, inWords(row.differs), row.folder, row.state]),
      ['left', 'left', 'left', 'left'],
      ['run', 'what differs', 'folder', 'state'],
    ),
  )
  for (const note of plan.notes) writeMessage(`note: ${note}`)
  const done = states.filter((state) => state === 'done').length
  writeMessage(`${plan.runs.length} runs: ${done} done, ${plan.runs.length - done} to do`)
}

/** The fields in which not all groups are alike, with each group's values. */
function differencesByGroup({ groups, runs }: SweepPlan): ReadonlyMap<PlannedGroup, Record<string, unknown>> {
  const configs = new Map<PlannedGroup, Config>(runs.map(({ group, config }) => [group, config]))
  const first = configs.get(groups[0]!)!
  const paths = new Set<string>()
  for (const config of configs.values()) {
    for (const { path } of configDifferences(first, config)) paths.add(path)
  }
  const shown = [...paths].filter((path) => !['name', 'seed'].includes(path) && !hasParentIn(paths, path))
  return new Map(
    groups.map((group) => [
      group,
      Object.fromEntries(shown.map((path) => [path, valueAt(configs.get(group)!, path.split('.'))])),
    ]),
  )
}

function hasParentIn(paths: ReadonlySet<string>, path: string): boolean {
  const keys = path.split('.')
  return keys.some((_, depth) => depth > 0 && paths.has(keys.slice(0, depth).join('.')))
}

function inWords(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([path, value]) => `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
