// From the arguments of a command to arms with their runs.
import { basename, dirname, join, resolve } from 'node:path'
import { firstLine, knownError, usageError } from '../errors.js'
import { namedFolder } from '../files/folder.js'
import { groupBy } from '../group-by.js'
import { type FoundRuns, lacksPlan, runsNamed } from '../runs/find.js'
import { readRuns, readWholeRun, type WholeRun } from '../runs/read.js'
import { planFile, SweepPlans, unchecked } from '../runs/sweep-plan.js'
import type { ArmRuns } from './comparison.js'
import { armFinder, armLabels } from './labels.js'
import { placeInSweep, readSavedSweep, type SavedSweep, type SweepPlace, variedPaths } from './sweep-arms.js'

/** The functions that find and read runs; `watch` has its own, which do not read an unchanged run again. */
export interface RunSource {
  readonly runsNamed: (argument: string) => Promise<FoundRuns>
  /** @throws EigenaeError if the run is damaged. */
  readonly readRun: (folder: string) => Promise<WholeRun>
}

const files: RunSource = { runsNamed, readRun: readWholeRun }

/** An arm before its runs are read. */
export interface ArmFolders {
  readonly name: string
  readonly place: SweepPlace | null
  /** The folders of its runs. */
  readonly runs: readonly string[]
}

/** Finds arms without reading their runs. Each is there once; `ofFirst` is the number of those of the first argument. */
export async function findArms(folders: readonly string[], source: RunSource = files) {
  const found = await Promise.all(folders.map((folder) => armsNamed(folder, source)))
  return {
    arms: uniqueArms(found.flatMap(({ arms }) => arms)),
    ofFirst: found[0]!.arms.length,
    notes: [...new Set(found.flatMap(({ notes }) => notes))],
    lostPlans: found.flatMap(({ lostPlans }) => lostPlans),
  }
}

function uniqueArms(arms: readonly ArmFolders[]): readonly ArmFolders[] {
  const seen = new Set<string>()
  return arms.filter(({ name }) => seen.size < seen.add(resolve(name)).size)
}

export interface ReadArms {
  readonly arms: readonly ArmRuns[]
  /** One of the arms. */
  readonly baseline: ArmRuns
  /** Whether the baseline is merely the first arm of a grid or a search that names none. */
  readonly arbitrary: boolean
  /** Trials that a halving stopped at an earlier rung than others. They are among the arms. */
  readonly stopped: readonly ArmRuns[]
  /** The folders and files that could not be read, and a baseline that could not be used, one per line. */
  readonly notes: readonly string[]
}

/**
 * Reads the arms that the arguments name. A run folder is an arm of one run, a folder of runs is an arm, and a folder of
 * arms stands for all of them, in the order of the sweep file if a sweep made them. The baseline is the arm that
 * `baseline` names, which then comes first, or else one of the first argument's arms: the one that its sweep file names,
 * or the first; if that has no completed run, the first that has one.
 */
export async function readArms(
  folders: readonly string[],
  baseline: string | undefined,
  source: RunSource = files,
): Promise<ReadArms> {
  const { arms, ofFirst, notes, lostPlans } = await findArms(folders, source)
  const plans = new SweepPlans()
  const named = baseline === undefined ? [] : [await findBaseline(baseline, arms, source)]
  const read = await readRunsOf(uniqueArms([...named, ...arms]), source, plans)
  const chosen =
    baseline === undefined
      ? chooseBaseline(read.slice(0, ofFirst), folders[0]!)
      : { baseline: read[0]!, arbitrary: false, notes: [] }
  const planNotes = [...new Set([...lostPlans, ...plans.damage])].map((problem) => {
    const order = lostPlans.includes(problem) ? 'the arms are sorted by name, ' : ''
    return `${problem}; ${order}${unchecked}, and the baseline is ${chosen.baseline.name}`
  })
  const asked = new Set([...folders, ...named.map(({ name }) => name)].map((folder) => resolve(folder)))
  const stopped = stoppedTrials(read.filter(({ name }) => !asked.has(resolve(name))))
  return { ...chosen, arms: read, stopped, notes: [...notes, ...planNotes, ...chosen.notes] }
}

/** Returns the trials of each halving whose completed runs have fewer epochs than those of its longest trials. */
function stoppedTrials(arms: readonly ArmRuns[]): readonly ArmRuns[] {
  const trials = arms.filter(
    ({ place, runs }) => place?.sweep.halving && place.trial !== null && runs.length > 0,
  )
  const epochsOf = ({ runs }: ArmRuns) => Math.min(...runs.map(({ config }) => config.train.epochs))
  return [...groupBy(trials, ({ place }) => place!.sweep.folder).values()].flatMap((rivals) => {
    const most = Math.max(...rivals.map(epochsOf))
    return rivals.filter((trial) => epochsOf(trial) < most)
  })
}

async function armsNamed(argument: string, source: RunSource) {
  const folder = namedFolder(argument)
  const { runs, unreadable } = await source.runsNamed(folder)
  if (runs[0] === folder) return { arms: [{ name: folder, place: null, runs }], notes: [], lostPlans: [] }
  const notes = unreadable.map((error) => `left out: ${firstLine(error)}`)
  return { ...sortBySweepFile(armsIn(folder, runs)), notes }
}

function armsIn(folder: string, runs: readonly string[]): readonly ArmFolders[] {
  const byParent = groupBy(runs, (run) => join(run, '..'))
  return [...byParent].flatMap(([parent, siblings]) => {
    // A run beside arms, for example from --out runs/first, is an arm of its own.
    const besideArms = parent === folder && byParent.size > 1
    return besideArms
      ? siblings.map((run) => ({ name: run, place: null, runs: [run] }))
      : [{ name: parent, place: null, runs: siblings }]
  })
}

/**
 * Places the arms in the sweeps that made them and sorts those of each sweep; arms that are not in its file come last. If a
 * sweep.json is damaged or missing, `lostPlans` has a line, and the arms beside it stay sorted by name.
 */
function sortBySweepFile(arms: readonly ArmFolders[]) {
  const lostPlans: string[] = []
  const sorted = [...arms]
  const byFolder = groupBy([...arms.keys()], (index) => dirname(resolve(arms[index]!.name)))
  for (const indexes of byFolder.values()) {
    const siblings = indexes.map((index) => arms[index]!)
    const sweep = readSweepOf(join(siblings[0]!.name, '..'), siblings[0]!.runs[0]!)
    if (typeof sweep === 'string' && siblings.length > 1) lostPlans.push(sweep)
    if (sweep === undefined || typeof sweep === 'string') continue
    const rank = ({ name }: ArmFolders) =>
      sweep.positions.get(basename(resolve(name))) ?? sweep.positions.size
    const placed = siblings
      .map((arm) => ({ ...arm, place: placeInSweep(basename(resolve(arm.name)), sweep) }))
      .sort((a, b) => rank(a) - rank(b))
    for (const [place, index] of indexes.entries()) sorted[index] = placed[place]!
  }
  return { arms: sorted, lostPlans }
}

/** Returns the sweep in a folder, a line if its sweep.json is damaged or missing, undefined if there is no sweep. */
function readSweepOf(folder: string, run: string): SavedSweep | string | undefined {
  try {
    return readSavedSweep(folder) ?? (lacksPlan(folder, run) ? `${planFile(folder)}: is missing` : undefined)
  } catch (error) {
    return firstLine(knownError(error))
  }
}

/** Returns the baseline that --baseline names: by its folder, or by its name in the printed table. */
async function findBaseline(
  baseline: string,
  arms: readonly ArmFolders[],
  source: RunSource,
): Promise<ArmFolders> {
  const subject = `--baseline ${baseline}`
  const { arms: found } = await armsNamed(baseline, source).catch((error) => {
    knownError(error)
    const named = armFinder(arms)(baseline)
    if (named.length > 0) return { arms: named }
    throw usageError({
      problem: 'is neither a folder of runs nor an arm',
      subject,
      hint: `The arms: ${armLabels(arms).join(', ')}.`,
    })
  })
  if (found.length === 1) return found[0]!
  throw usageError({
    problem: `holds ${found.length} arms; the baseline must be one arm`,
    subject,
    hint: `Name one of them, for example ${found[0]!.name}.`,
  })
}

/** Returns the baseline among the arms of the first argument. The baseline of a sweep may have no folder. */
function chooseBaseline(arms: readonly ArmRuns[], argument: string): Omit<ReadArms, 'arms' | 'stopped'> {
  const { name, place } = arms[0]!
  const sweep = resolve(name) === resolve(argument) ? undefined : place?.sweep
  const isVaried = sweep !== undefined && variedPaths(sweep).length > 0
  const arbitrary = isVaried && sweep.baseline === null && arms.length > 1
  const planned = sweep && (sweep.baseline ?? [...sweep.positions.keys()][0]!)
  const intended = planned === undefined ? name : join(name, '..', planned)
  const present = arms.filter((arm) => arm.name === intended)
  const usable = [...present, ...arms].find(({ runs }) => runs.length > 0)
  if (usable === undefined || usable.name === intended)
    return { baseline: usable ?? present[0] ?? arms[0]!, arbitrary, notes: [] }
  const note = `the baseline ${intended} has no completed run: the arms are tested against ${usable.name}`
  return { baseline: usable, arbitrary, notes: sweep === undefined || arbitrary ? [] : [note] }
}

/** A run that its sweep did not plan for its folder is unusable: the arm has the name of another one's plan. */
async function readRunsOf(
  arms: readonly ArmFolders[],
  source: RunSource,
  plans: SweepPlans,
): Promise<readonly ArmRuns[]> {
  const readUsable = async (folder: string) => {
    const run = await source.readRun(folder)
    plans.requirePlaced(folder, run.record)
    return run
  }
  const folders = arms.flatMap(({ runs }) => runs)
  const read = await readRuns(folders, (folder) =>
    readUsable(folder).catch((error: unknown) => ({ folder, error: knownError(error) })),
  )
  let next = 0
  return arms.map(({ name, place, runs }) => {
    const own = read.slice(next, next + runs.length)
    next += runs.length
    const usable = own.flatMap((run) => ('error' in run ? [] : [run]))
    return {
      name,
      place,
      runs: usable.filter((run) => run.status === 'completed'),
      leftOut: usable.filter((run) => run.status !== 'completed'),
      unusable: own.flatMap((run) => ('error' in run ? [run] : [])),
    }
  })
}
