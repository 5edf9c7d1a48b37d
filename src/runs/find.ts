import { normalize } from 'node:path'
import { usageError } from '../errors.js'
import { findRunFolders } from './read.js'

/** The run folders that an argument names: a run, or all runs in a folder. @throws a usage error where there is none. */
export async function runsNamed(argument: string): Promise<readonly string[]> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const runs = await findRunFolders(folder)
  if (runs.length > 0) return runs
  throw usageError({ what: 'holds no run', where: folder, hint: 'Name a run folder, or a folder of runs.' })
}

/** The one run that an argument names: a run, or a folder with a single one. */
export async function runNamed(argument: string, command: string): Promise<string> {
  const [run, ...more] = await runsNamed(argument)
  if (more.length === 0) return run!
  throw usageError({
    what: `holds ${more.length + 1} runs, ${command} takes one`,
    where: argument,
    hint: `Name one of them, for example ${run}.`,
  })
}
