import { basename, join, normalize, resolve } from 'node:path'
import { EigenaeError, usageError } from '../errors.js'
import { runsNamed } from '../runs/find.js'
import { readRuns, readWholeRun, type WholeRun } from '../runs/read.js'

/** Runs that count as one arm: a run alone, or the runs of a folder over their seeds. */
export interface Group {
  /** The folder, as it was named. */
  readonly name: string
  /** Completed runs only. */
  readonly runs: readonly WholeRun[]
  /** Runs that are not complete. */
  readonly leftOut: readonly WholeRun[]
}

/**
 * The groups that the arguments of `compare` name, the baseline first. A run folder is a group of one; a folder of
 * runs is a group; a folder of such folders stands for each of them. A group without a completed run has none.
 */
export async function readGroups(
  folders: readonly string[],
  baseline: string | undefined,
): Promise<readonly Group[]> {
  const arms = (await Promise.all(folders.map(expand))).flat()
  const named = baseline === undefined ? arms : [await baselineOf(baseline, arms), ...arms]
  const seen = new Set<string>()
  const once = named.filter(({ name }) => seen.size < seen.add(resolve(name)).size)
  return readAll(once)
}

/** A folder, or else an arm by its name in the table. */
async function baselineOf(baseline: string, arms: readonly GroupFolders[]): Promise<GroupFolders> {
  const where = `--baseline ${baseline}`
  const found = await expand(baseline).catch((error) => {
    if (!(error instanceof EigenaeError)) throw error
    const names = shortNames(arms.map(({ name }) => name))
    const arm = arms[names.indexOf(baseline)]
    if (arm !== undefined) return [arm]
    throw usageError({
      what: 'is no folder of runs, and no arm',
      where,
      hint: `The arms: ${names.join(', ')}.`,
    })
  })
  if (found.length === 1) return found[0]!
  throw usageError({
    what: `holds ${found.length} groups, the baseline is one`,
    where,
    hint: `Name one of them, for example ${found[0]!.name}.`,
  })
}

interface GroupFolders {
  readonly name: string
  readonly runs: readonly string[]
}

async function expand(argument: string): Promise<readonly GroupFolders[]> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const runs = await runsNamed(folder)
  if (runs[0] === folder) return [{ name: folder, runs }]
  const byParent = new Map<string, string[]>()
  for (const run of runs) {
    const parent = join(run, '..')
    const siblings = byParent.get(parent)
    if (siblings === undefined) byParent.set(parent, [run])
    else siblings.push(run)
  }
  return [...byParent].flatMap(([parent, siblings]) => {
    // Runs that lie among groups, by --out runs/first say, go each by its own name.
    const amongGroups = parent === folder && byParent.size > 1
    return amongGroups
      ? siblings.map((run) => ({ name: run, runs: [run] }))
      : [{ name: parent, runs: siblings }]
  })
}

async function readAll(groups: readonly GroupFolders[]): Promise<readonly Group[]> {
  const read = await readRuns(
    groups.flatMap((group) => group.runs),
    readWholeRun,
  )
  let next = 0
  return groups.map(({ name, runs }) => {
    const mine = read.slice(next, next + runs.length)
    next += runs.length
    return {
      name,
      runs: mine.filter((run) => run.status === 'completed'),
      leftOut: mine.filter((run) => run.status !== 'completed'),
    }
  })
}

/** @throws a usage error where nothing is left to compare. */
export function withoutEmpty(groups: readonly Group[]): readonly Group[] {
  const kept = groups.filter((group) => group.runs.length > 0)
  if (kept.length > 0 && kept[0] === groups[0]) return kept
  const [first] = groups
  throw usageError({
    what: 'holds no completed run',
    where: first!.name,
    details: first!.leftOut.slice(0, 10).map((run) => `${run.folder}: ${run.status}`),
    hint: 'Finish it with eigenae train … --resume, or name another baseline.',
  })
}

/** The names without the folders that all of them lie in. */
export function shortNames(names: readonly string[]): readonly string[] {
  if (names.length === 1) return [basename(resolve(names[0]!))]
  const parts = names.map((name) => name.split('/'))
  const shortest = Math.min(...parts.map((each) => each.length))
  let shared = 0
  while (shared < shortest - 1 && parts.every((each) => each[shared] === parts[0]![shared])) shared++
  return parts.map((each) => each.slice(shared).join('/'))
}
