import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { configDifferences } from '../config/difference.js'
import type { Config } from '../config/schema.js'
import { hasCode, usageError } from '../errors.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText } from '../files/write.js'
import { runFiles } from '../runs/files.js'
import { isTrace } from '../runs/open.js'
import type { PlannedRun, SweepPlan } from './plan.js'

/** What a planned run's folder says of it. */
export type RunState = 'done' | 'begun' | 'new'

/** More lines than this would hide what they have in common. */
const shownConflicts = 20

/**
 * What is done and what is to do. Reads synchronously: of ten thousand folders that takes half a second, where promises
 * take seven.
 * @throws a usage error where a folder holds another run than the plan's: it must not pass for this one.
 */
export function inspectRuns({ runs }: SweepPlan, sweepFolder: string): readonly RunState[] {
  const conflicts: string[] = []
  const states = runs.map((run) => inspectRun(run, join(sweepFolder, run.name), conflicts))
  if (conflicts.length === 0) return states
  const more = conflicts.length - shownConflicts
  throw usageError({
    what: 'folders of this sweep hold runs with another config than its file has now',
    where: sweepFolder,
    details: [...conflicts.slice(0, shownConflicts), ...(more > 0 ? [`… and ${more} more`] : [])],
    hint: 'Bring the old configs back, remove those folders, or name another folder with --out.',
  })
}

function inspectRun({ name, config }: PlannedRun, folder: string, conflicts: string[]): RunState {
  const files = runFiles(folder)
  const saved = readIfThere(files.config)
  const status = statusIn(readIfThere(files.record))
  // Without a run.json nothing was trained: a config.json alone is replaced.
  if (status === null) {
    if (saved === null && holdsOther(folder)) conflicts.push(`${name}: holds something that is no run`)
    return 'new'
  }
  if (saved !== jsonText(config)) conflicts.push(...differences(name, status, saved, config))
  return status === 'completed' ? 'done' : 'begun'
}

function differences(name: string, status: string, saved: string | null, config: Config): readonly string[] {
  return configDifferences(parsed(saved), config).map(
    ({ path, left, right }) => `${name} (${status}): ${path}: ${left} in the folder, ${right} now`,
  )
}

function statusIn(record: string | null): string | null {
  const value = parsed(record)
  const status: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'status') : null
  return typeof status === 'string' ? status : null
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text)
  } catch {
    return null
  }
}

/** Null if the file, or a folder on its path, does not exist. */
function readIfThere(file: string): string | null {
  try {
    return readTextIfPresent(file) ?? null
  } catch (error) {
    if (error instanceof Error && hasCode(error.cause, 'ENOTDIR')) return null
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
