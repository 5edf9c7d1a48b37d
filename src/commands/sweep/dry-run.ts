import { join } from 'node:path'
import { valueAt } from '../../config/json.js'
import { configDifferences } from '../../config/paths.js'
import { configJson } from '../../config/text.js'
import type { Arm, SweepPlan } from '../../sweeps/plan.js'
import type { InspectedSweep } from '../../sweeps/sweep.js'
import { count, thousands } from '../../text/format.js'
import { writeJsonLine, writeMessage, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'

/** Prints every run of a plan: its name, how its config differs from the others, its folder, and whether it is done. */
export function writeDryRun({ plan, states, folder }: InspectedSweep, json: boolean): void {
  const differing = differencesByArm(plan)
  const rows = plan.runs.map(({ name, arm, config }, index) => ({
    run: name,
    differs: { ...differing.get(arm), seed: config.seed },
    folder: join(folder, name),
    state: states[index] === 'done' ? 'done' : 'to do',
  }))
  if (json) {
    for (const row of rows) writeJsonLine({ event: 'run', ...row })
    return
  }
  writeResult(
    alignedTable(
      rows.map((row) => [row.run, settingsText(row.differs), row.folder, row.state]),
      ['left', 'left', 'left', 'left'],
      ['run', 'what differs', 'folder', 'state'],
    ),
  )
  for (const note of plan.notes) writeMessage(`note: ${note}`)
  const done = states.filter((state) => state === 'done').length
  writeMessage(
    `${count(plan.runs.length, 'run')}: ${thousands(done)} done, ${thousands(plan.runs.length - done)} to do`,
  )
}

/** Returns, for each arm, its values of the fields that differ between arms. */
function differencesByArm({ arms, runs }: SweepPlan): ReadonlyMap<Arm, Record<string, unknown>> {
  const configs = new Map<Arm, object>(runs.map(({ arm, config }) => [arm, configJson(config)]))
  const first = configs.get(arms[0]!)!
  const paths = new Set<string>()
  for (const config of configs.values()) {
    for (const { path } of configDifferences(first, config)) paths.add(path)
  }
  const shown = [...paths].filter((path) => !['name', 'seed'].includes(path) && !hasParentIn(paths, path))
  return new Map(
    arms.map((arm) => [
      arm,
      Object.fromEntries(shown.map((path) => [path, valueAt(configs.get(arm)!, path.split('.'))])),
    ]),
  )
}

function hasParentIn(paths: ReadonlySet<string>, path: string): boolean {
  const keys = path.split('.')
  return keys.some((_, depth) => depth > 0 && paths.has(keys.slice(0, depth).join('.')))
}

function settingsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([path, value]) => `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
