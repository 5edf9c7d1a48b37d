import { basename, dirname, join, normalize, resolve } from 'node:path'
import { EigenaeError, usageError } from '../errors.js'
import { lacksPlan, readArmOrder } from '../runs/arm-order.js'
import { headOf, runsNamed } from '../runs/find.js'
import { readRuns, readWholeRun, type WholeRun } from '../runs/read.js'

/** Runs that count as one arm: a run alone, or the runs of a folder over their seeds. */
export interface Group {
  /** The folder, as it was named. */
  readonly name: string
  /** Completed runs only. */
  readonly runs: readonly WholeRun[]
  /** Runs that are not complete. */
  readonly leftOut: readonly WholeRun[]
  /** Runs that are damaged, or cannot be read. */
  readonly unusable: readonly UnusableRun[]
}

export interface UnusableRun {
  readonly folder: string
  readonly error: EigenaeError
}

/** Returns a line on why a run is left out. */
export function unusableLine({ folder, error }: UnusableRun, group: string): string {
  const { problem, subject = folder, details = [], hint } = error.parts
  const lines = [`${subject}: ${problem}`, ...details].join('; ')
  return `left out of ${group}: ${lines}${hint === undefined ? '' : `. ${hint}`}`
}

export interface Groups {
  /** The baseline first. */
  readonly groups: readonly Group[]
  /** Folders and files beside the runs that could not be read, a line each. */
  readonly notes: readonly string[]
}

/**
 * Reads the groups that the arguments of `compare` name. A run folder is a group of one; a folder of runs is a group; a
 * folder of such folders stands for each of them, in the order of the sweep file if a sweep made them. Unless another
 * baseline is named, it is the first group; in a folder of several, the first with a completed run.
 */
export async function readGroups(folders: readonly string[], baseline: string | undefined): Promise<Groups> {
  const expanded = await Promise.all(folders.map(expand))
  const arms = expanded.flatMap(({ groups }) => groups)
  const named = baseline === undefined ? arms : [await baselineOf(baseline, arms), ...arms]
  const seen = new Set<string>()
  const once = named.filter(({ name }) => seen.size < seen.add(resolve(name)).size)
  const groups = await readAll(once)
  const candidates = baseline === undefined ? expanded[0]!.groups.length : 1
  return {
    groups: completedFirst(groups, candidates),
    notes: [...new Set(expanded.flatMap(({ notes }) => notes))],
  }
}

/** Moves the first group with a completed run to the front if it is among the first `candidates`. */
function completedFirst(groups: readonly Group[], candidates: number): readonly Group[] {
  const place = groups.slice(0, candidates).findIndex(({ runs }) => runs.length > 0)
  if (place <= 0) return groups
  return [groups[place]!, ...groups.slice(0, place), ...groups.slice(place + 1)]
}

/** A folder, or else an arm by its name in the table. */
async function baselineOf(baseline: string, arms: readonly GroupFolders[]): Promise<GroupFolders> {
  const where = `--baseline ${baseline}`
  const { groups: found } = await expand(baseline).catch((error) => {
    if (!(error instanceof EigenaeError)) throw error
    const names = shortNames(arms.map(({ name }) => name))
    const arm = arms[names.indexOf(baseline)]
    if (arm !== undefined) return { groups: [arm], notes: [] }
    throw usageError({
      problem: 'is no folder of runs, and no arm',
      subject: where,
      hint: `The arms: ${names.join(', ')}.`,
    })
  })
  if (found.length === 1) return found[0]!
  throw usageError({
    problem: `holds ${found.length} groups, the baseline is one`,
    subject: where,
    hint: `Name one of them, for example ${found[0]!.name}.`,
  })
}

interface GroupFolders {
  readonly name: string
  readonly runs: readonly string[]
}

interface Expanded {
  readonly groups: readonly GroupFolders[]
  readonly notes: readonly string[]
}

async function expand(argument: string): Promise<Expanded> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const { runs, unreadable } = await runsNamed(folder)
  if (runs[0] === folder) return { groups: [{ name: folder, runs }], notes: [] }
  const { groups, notes } = inSweepOrder(groupsIn(folder, runs))
  return { groups, notes: [...unreadable.map((error) => `left out: ${headOf(error)}`), ...notes] }
}

function groupsIn(folder: string, runs: readonly string[]): readonly GroupFolders[] {
  const byParent = groupBy(runs, (run) => join(run, '..'))
  return [...byParent].flatMap(([parent, siblings]) => {
    // Runs that lie among groups, for example by --out runs/first, count each by its own name.
    const amongGroups = parent === folder && byParent.size > 1
    return amongGroups
      ? siblings.map((run) => ({ name: run, runs: [run] }))
      : [{ name: parent, runs: siblings }]
  })
}

/** Sorts the arms of each sweep as its sweep file has them; arms that it does not name come last. */
function inSweepOrder(groups: readonly GroupFolders[]): Expanded {
  const notes: string[] = []
  const sorted = [...groups]
  for (const [folder, places] of groupBy([...groups.keys()], (place) => dirname(groups[place]!.name))) {
    if (places.length === 1) continue
    try {
      const order = readArmOrder(folder)
      if (order === undefined) {
        if (lacksPlan(folder, groups[places[0]!]!.runs[0]!))
          notes.push(`${join(folder, 'sweep.json')}: is missing; the arms are in the order of their names`)
        continue
      }
      const rank = ({ name }: GroupFolders) => order.get(basename(name)) ?? order.size
      const arms = places.map((place) => groups[place]!).sort((a, b) => rank(a) - rank(b))
      for (const [index, place] of places.entries()) sorted[place] = arms[index]!
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      notes.push(`${headOf(error)}; the arms are in the order of their names`)
    }
  }
  return { groups: sorted, notes }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const siblings = groups.get(keyOf(item))
    if (siblings === undefined) groups.set(keyOf(item), [item])
    else siblings.push(item)
  }
  return groups
}

async function readAll(groups: readonly GroupFolders[]): Promise<readonly Group[]> {
  const read = await readRuns(
    groups.flatMap((group) => group.runs),
    readUsable,
  )
  let next = 0
  return groups.map(({ name, runs }) => {
    const mine = read.slice(next, next + runs.length)
    next += runs.length
    const usable = mine.filter((run): run is WholeRun => !isUnusable(run))
    return {
      name,
      runs: usable.filter((run) => run.status === 'completed'),
      leftOut: usable.filter((run) => run.status !== 'completed'),
      unusable: mine.filter(isUnusable),
    }
  })
}

async function readUsable(folder: string): Promise<WholeRun | UnusableRun> {
  try {
    return await readWholeRun(folder)
  } catch (error) {
    if (error instanceof EigenaeError) return { folder, error }
    throw error
  }
}

function isUnusable(run: WholeRun | UnusableRun): run is UnusableRun {
  return 'error' in run
}

/** @throws a usage error where nothing is left to compare. */
export function withoutEmpty(groups: readonly Group[]): readonly Group[] {
  const kept = groups.filter((group) => group.runs.length > 0)
  if (kept.length > 0 && kept[0] === groups[0]) return kept
  const [first] = groups
  throw usageError({
    problem: 'holds no completed run',
    subject: first!.name,
    details: [
      ...first!.leftOut.map((run) => `${run.folder}: ${run.status}`),
      ...first!.unusable.flatMap(({ error }) => error.message.split('\n')),
    ].slice(0, 10),
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
