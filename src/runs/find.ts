import { type Dirent, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { EigenaeError, exitCode, fileError, hasCode, usageError } from '../errors.js'
import { compareNaturally } from '../text/natural-order.js'
import { runFiles } from './files.js'

/** The run folders at or under a folder, and the folders in it that might hold more. */
export interface FoundRuns {
  readonly runs: readonly string[]
  /** One for each folder that cannot be read. */
  readonly unreadable: readonly EigenaeError[]
}

/** Returns the runs that an argument names: a run, or all runs in a folder. @throws a usage error if there is none. */
export async function runsNamed(argument: string): Promise<FoundRuns> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const found = await findRuns(folder)
  if (found.runs.length > 0) return found
  throw usageError({
    problem: 'holds no run',
    subject: folder,
    details: found.unreadable.map(headOf),
    hint: 'Name a run folder, or a folder of runs.',
  })
}

/** Returns the one run that an argument names: a run, or a folder with a single one. */
export async function runNamed(argument: string, command: string): Promise<string> {
  const { runs, unreadable } = await runsNamed(argument)
  // One of them may hold another run.
  if (unreadable.length > 0) throw unreadable[0]!
  if (runs.length === 1) return runs[0]!
  throw usageError({
    problem: `holds ${runs.length} runs, ${command} takes one`,
    subject: argument,
    hint: `Name one of them, for example ${runs[0]}.`,
  })
}

/** Returns the first line of an error, without details and hint: the folder and what is wrong with it. */
export function headOf({ message }: EigenaeError): string {
  return message.split('\n')[0]!
}

/**
 * Searches a folder at any depth, in the order of the names, but not inside a run.
 * @throws EigenaeError if the folder itself cannot be read; a usage error if it does not exist.
 */
export async function findRuns(folder: string): Promise<FoundRuns> {
  const entries = await entriesOf(folder)
  if (holdsRun(entries)) return { runs: [folder], unreadable: [] }
  const folders = entries.filter((entry) => entry.isDirectory() || isLinkedRun(folder, entry))
  const inOrder = folders.map((entry) => entry.name).sort(compareNaturally)
  const found = await Promise.all(inOrder.map((name) => findRunsInside(join(folder, name))))
  return {
    runs: found.flatMap(({ runs }) => runs),
    unreadable: found.flatMap(({ unreadable }) => unreadable),
  }
}

async function findRunsInside(folder: string): Promise<FoundRuns> {
  try {
    return await findRuns(folder)
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    // It was removed after its parent was read.
    if (hasCode(error.cause, 'ENOENT')) return { runs: [], unreadable: [] }
    return { runs: [], unreadable: [error] }
  }
}

/** A run whose run.json is gone is a damaged run, not none. */
function holdsRun(entries: readonly Dirent[]): boolean {
  const has = (name: string) => entries.some((entry) => entry.name === name)
  return has('run.json') || (has('config.json') && has('metrics.csv'))
}

/** Links to folders of runs are not followed: they may lead in circles. */
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
