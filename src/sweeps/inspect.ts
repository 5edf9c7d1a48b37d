import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EigenaeError, hasCode, usageError } from '../errors.js'
import { jsonText } from '../files/write.js'
import { damageText } from '../runs/damage.js'
import { type RunFiles, runFiles } from '../runs/files.js'
import { type Inspection, inspectRun } from '../runs/inspect.js'
import { isTrace } from '../runs/open.js'
import { recognise } from '../runs/recognise.js'
import type { PlannedRun, SweepPlan } from './plan.js'

/** What a planned run's folder holds: "damaged" is a run that has to be remade. */
export type RunState = 'done' | 'damaged' | 'begun' | 'new'

export interface InspectedRuns {
  /** In the plan's order. */
  readonly states: readonly RunState[]
  /** What is damaged, a line a run. */
  readonly damage: readonly string[]
}

/** More lines than this would hide what they have in common. */
const shownLines = 20

/**
 * Returns what is done and what is to do. Reads synchronously: ten thousand folders take some seconds, with promises many times as
 * long. Models and checkpoints are checked by their heads alone.
 * @throws a usage error if a folder holds another run than the plan's: it must not pass for this one.
 */
export function inspectRuns({ runs }: SweepPlan, sweepFolder: string): InspectedRuns {
  const lines: Lines = { conflicts: [], damage: [] }
  const states = runs.map((run) => inspectPlanned(run, join(sweepFolder, run.name), lines))
  if (lines.conflicts.length === 0) return { states, damage: shortened(lines.damage) }
  throw usageError({
    problem: 'folders of this sweep hold runs with another config than its file has now',
    subject: sweepFolder,
    details: shortened(lines.conflicts),
    hint: 'Bring the old configs back, remove those folders, or name another folder with --out.',
  })
}

interface Lines {
  readonly conflicts: string[]
  readonly damage: string[]
}

function shortened(lines: readonly string[]): readonly string[] {
  const more = lines.length - shownLines
  return [...lines.slice(0, shownLines), ...(more > 0 ? [`… and ${more} more`] : [])]
}

function inspectPlanned({ name, config }: PlannedRun, folder: string, lines: Lines): RunState {
  const files = runFiles(folder)
  const run = inspected(files)
  if (run !== null && run.damage.length === 0 && run.contents['config.json']!.toString() === jsonText(config))
    return run.record.status === 'completed' ? 'done' : 'begun'
  // Without a run.json nothing was trained, as a rule: a config.json alone is replaced.
  const isThere = existsSync(files.record) || existsSync(files.checkpoint)
  if (!isThere) {
    if (!existsSync(files.config) && holdsOther(folder))
      lines.conflicts.push(`${name}: holds something that is no run`)
    return 'new'
  }
  const found = recognise(files, config)
  if (found.kind === 'none') lines.conflicts.push(`${name}: holds something that is no run`)
  if (found.kind === 'other')
    lines.conflicts.push(...found.differences.map((line) => `${prefix(name, run)}: ${line}`))
  if (found.kind !== 'same') return 'begun'
  const damage = [
    ...new Map([...(run?.damage ?? []), ...found.damage].map((each) => [each.file, each])).values(),
  ]
  if (damage.length > 0) lines.damage.push(`${name}: ${damage.map(damageText).join('; ')}`)
  if (damage.length > 0) return 'damaged'
  return found.record?.status === 'completed' ? 'done' : 'begun'
}

function prefix(name: string, run: Inspection | null): string {
  return run === null ? name : `${name} (${run.record.status})`
}

/** Null if there is no run, or its run.json cannot be read. */
function inspected(files: RunFiles): Inspection | null {
  try {
    return inspectRun(files, 'heads')
  } catch (error) {
    if (error instanceof EigenaeError) return null
    throw error
  }
}

function holdsOther(folder: string): boolean {
  try {
    return !readdirSync(folder).every(isTrace)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
