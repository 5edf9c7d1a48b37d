import { type Dirent, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { EigenaeError, exitCode, fileError, firstLine, hasCode, usageError } from '../errors.js'
import { namedFolder } from '../files/folder.js'
import { compareNaturally } from '../text/names.js'
import { runFiles } from './files.js'
import { planFile } from './sweep-plan.js'

/** The run folders at or below a folder, and the folders that could not be searched. */
export interface FoundRuns {
  readonly runs: readonly string[]
  /** One for each folder that cannot be read. */
  readonly unreadable: readonly EigenaeError[]
}

/** Returns the runs named by an argument: a run, or all runs in a folder. @throws a usage error if there is none. */
export async function runsNamed(argument: string): Promise<FoundRuns> {
  const folder = namedFolder(argument)
  const found = await findRuns(folder)
  if (found.runs.length > 0) return found
  throw usageError({
    problem: 'holds no run',
    subject: folder,
    details: found.unreadable.map(firstLine),
    hint: 'Name a run folder, or a folder of runs.',
  })
}

/** Returns the runs named by several arguments, each once. */
export async function runsNamedByAll(names: readonly string[]): Promise<FoundRuns> {
  const found = await Promise.all(names.map(runsNamed))
  const runs = found.flatMap((each) => each.runs)
  return {
    runs: [...new Map(runs.map((folder) => [resolve(folder), folder])).values()],
    unreadable: found.flatMap((each) => each.unreadable),
  }
}

/** Returns the run named by an argument: a run, or a folder that holds exactly one. */
export async function runNamed(argument: string, command: string): Promise<string> {
  const { runs, unreadable } = await runsNamed(argument)
  // An unreadable folder may hold another run.
  if (unreadable.length > 0) throw unreadable[0]!
  if (runs.length === 1) return runs[0]!
  throw usageError({
    problem: `holds ${runs.length} runs; ${command} takes one`,
    subject: argument,
    hint: `Name one of them, for example ${runs[0]}.`,
  })
}

/**
 * Searches a folder at any depth, in the order of the names, but not inside a run.
 * @param known the folders that are known to be runs, which are not read again
 * @throws EigenaeError if the folder itself cannot be read; a usage error if it does not exist.
 */
export async function findRuns(folder: string, known?: ReadonlyMap<string, unknown>): Promise<FoundRuns> {
  if (known?.has(folder)) return { runs: [folder], unreadable: [] }
  const entries = await entriesOf(folder)
  if (holdsRun(entries)) return { runs: [folder], unreadable: [] }
  const folders = entries.filter((entry) => entry.isDirectory() || isLinkedRun(folder, entry))
  const inOrder = folders.map((entry) => entry.name).sort(compareNaturally)
  const found = await Promise.all(inOrder.map((name) => findRunsInside(join(folder, name), known)))
  return {
    runs: found.flatMap(({ runs }) => runs),
    unreadable: found.flatMap(({ unreadable }) => unreadable),
  }
}

async function findRunsInside(folder: string, known?: ReadonlyMap<string, unknown>): Promise<FoundRuns> {
  try {
    return await findRuns(folder, known)
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    // The folder was removed after its parent was read.
    if (hasCode(error.cause, 'ENOENT')) return { runs: [], unreadable: [] }
    return { runs: [], unreadable: [error] }
  }
}

/**
 * Returns whether a folder with these entries is a run. A run that lacks run.json is still a run, but a damaged one.
 */
function holdsRun(entries: readonly Dirent[]): boolean {
  const has = (name: string) => entries.some((entry) => entry.name === name)
  return has('run.json') || (has('config.json') && has('metrics.csv'))
}

/** Links to folders of runs are not followed, because they may form a cycle. */
function isLinkedRun(folder: string, entry: Dirent): boolean {
  return entry.isSymbolicLink() && existsSync(runFiles(join(folder, entry.name)).record)
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    const mistaken = hasCode(error, 'ENOENT', 'ENOTDIR')
    throw fileError('read the folder', folder, error, mistaken ? exitCode.usage : undefined)
  }
}

/**
 * Returns whether the run was made by a sweep in `folder` whose sweep.json is missing. Only runs of sweeps have a
 * log.
 */
export function lacksPlan(folder: string, run: string): boolean {
  return !existsSync(planFile(folder)) && existsSync(runFiles(run).log)
}
