/**
 * How a comparison is made, from top to bottom: arguments → arms → completed runs → statistics → a table of results.
 * text.ts prints the table, export.ts and src/report write it to files.
 */
import { basename, dirname, join, normalize, resolve } from 'node:path'
import type { Config } from '../config/schema.js'
import { EigenaeError, firstLine, usageError } from '../errors.js'
import { type FoundRuns, lacksPlan, runsNamed } from '../runs/find.js'
import { type Metric, meaningOf, metricOf, metrics } from '../runs/metrics.js'
import { readRuns, readWholeRun, type WholeRun } from '../runs/read.js'
import { armLabels, labelArms } from './labels.js'
import {
  correctByHolm,
  type Difference,
  pairedTest,
  type Summary,
  summarise,
  welchTest,
} from './statistics.js'
import { commonSweep, placeInSweep, readSavedSweep, type SavedSweep, type SweepPlace } from './sweep-arms.js'
import { warningsOf } from './warnings.js'

export interface Comparison {
  /** In the order of the sweep file or of the arguments. A baseline that --baseline names comes first. */
  readonly arms: readonly Arm[]
  /** The arm that the others are tested against: the one whose `baseline` is true. */
  readonly baseline: Arm
  /** The sweep that made all arms; null if there is none. */
  readonly sweep: SavedSweep | null
  /** The results of each metric are adjacent, in the order of the arms. */
  readonly results: readonly Result[]
  /** The arms without a completed run. */
  readonly dropped: readonly DroppedArm[]
  readonly warnings: readonly string[]
}

/** The runs of an arm: one run, or the runs of a folder, which differ only in their seeds. */
export interface ArmRuns {
  /** The arm's folder, as it was named in the arguments. */
  readonly name: string
  /** Null if the arm is not one of a sweep. */
  readonly place: SweepPlace | null
  /** Completed runs. */
  readonly runs: readonly WholeRun[]
  /** Runs that are not complete. */
  readonly leftOut: readonly WholeRun[]
  /** Runs that are damaged or cannot be read. */
  readonly unusable: readonly UnusableRun[]
}

export interface UnusableRun {
  readonly folder: string
  readonly error: EigenaeError
}

/** An arm without a completed run, which is not compared. */
export interface DroppedArm extends ArmRuns {
  /** As distinct as the labels of the compared arms. */
  readonly label: string
}

/** A config path that a sweep varies, with its value in one arm. */
export interface Setting {
  readonly path: string
  /** The last keys of the path, as few as keep the settings of an arm distinct: "weight". */
  readonly name: string
  /** Undefined if the config has no such field. */
  readonly value: unknown
}

/** An arm with its labels. */
export interface Arm extends ArmRuns {
  /**
   * The name of the arm in all tables and pictures: the variant of the sweep file with the values of the grid behind it ("eigen
   * weight=0.1"), or the name of the folder, or else of the config. No two arms of a comparison have the same label.
   */
  readonly label: string
  /** Whether the other arms are tested against this one. */
  readonly baseline: boolean
  /** The settings that distinguish its config from the baseline's, for a column or a tooltip; "" if there are none. */
  readonly difference: string
  /** The values of the sweep's grid and search in this arm, in the order of the sweep file; empty without a sweep. */
  readonly settings: readonly Setting[]
  readonly config: Config
}

/** One metric of one arm: a row of comparison.csv. */
export interface Result {
  readonly arm: Arm
  readonly metric: Metric
  readonly summary: Summary
  /** The difference from the baseline; null for the baseline itself. */
  readonly versus: (Difference & { readonly correctedP: number | null }) | null
  /** Whether this mean is the best of all arms' means. */
  readonly best: boolean
}

/** Reads the arms and compares them with the baseline. */
export async function compareRuns(
  folders: readonly string[],
  baseline: string | undefined,
): Promise<Comparison> {
  const { arms: read, baseline: reference, notes } = await readArms(folders, baseline)
  requireCompletedRun(reference)
  const labels = new Map(armLabels(read).map((label, index) => [read[index]!, label]))
  const complete = read.filter(({ runs }) => runs.length > 0)
  const dropped = read.filter(({ runs }) => runs.length === 0)
  const arms = labelArms(complete, labels, reference)
  return {
    arms,
    baseline: arms.find((arm) => arm.baseline)!,
    sweep: commonSweep(arms),
    results: metrics.flatMap((metric) => resultsOf(arms, metric)),
    dropped: dropped.map((arm) => ({ ...arm, label: labels.get(arm)! })),
    warnings: [...notes, ...warningsOf(complete, dropped)],
  }
}

// 1. From the arguments to the folders of the arms.

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

interface Expansion {
  readonly arms: readonly ArmFolders[]
  readonly notes: readonly string[]
}

/** The arms that arguments name, each once. */
interface FoundArms extends Expansion {
  /** The number of arms of the first argument, which come first. */
  readonly ofFirst: number
}

/** Finds arms without reading their runs. */
export async function findArms(folders: readonly string[], source: RunSource = files): Promise<FoundArms> {
  const expansions = await Promise.all(folders.map((folder) => expandArgument(folder, source)))
  return {
    arms: uniqueArms(expansions.flatMap(({ arms }) => arms)),
    ofFirst: expansions[0]!.arms.length,
    notes: [...new Set(expansions.flatMap(({ notes }) => notes))],
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
  const { arms, ofFirst, notes } = await findArms(folders, source)
  if (baseline === undefined) {
    const read = await readRunsOf(arms, source)
    const chosen = chooseBaseline(read.slice(0, ofFirst))
    return { arms: read, baseline: chosen.baseline, notes: [...notes, ...chosen.notes] }
  }
  const read = await readRunsOf(uniqueArms([await findBaseline(baseline, arms, source), ...arms]), source)
  return { arms: read, baseline: read[0]!, notes }
}

async function expandArgument(argument: string, source: RunSource): Promise<Expansion> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const { runs, unreadable } = await source.runsNamed(folder)
  if (runs[0] === folder) return { arms: [{ name: folder, place: null, runs }], notes: [] }
  const { arms, notes } = sortBySweepFile(armsIn(folder, runs))
  return { arms, notes: [...unreadable.map((error) => `left out: ${firstLine(error)}`), ...notes] }
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

/** Places the arms in the sweeps that made them and sorts those of each sweep. Arms that are not in its file come last. */
function sortBySweepFile(arms: readonly ArmFolders[]): Expansion {
  const notes: string[] = []
  const sorted = [...arms]
  const byFolder = groupBy([...arms.keys()], (index) => dirname(resolve(arms[index]!.name)))
  for (const indexes of byFolder.values()) {
    const siblings = indexes.map((index) => arms[index]!)
    const folder = join(siblings[0]!.name, '..')
    const { sweep, note } = readSweepOf(folder, siblings[0]!.runs[0]!)
    if (note !== null && siblings.length > 1) notes.push(note)
    if (sweep === undefined) continue
    const placed = siblings.map((arm) => ({
      ...arm,
      place: placeInSweep(basename(resolve(arm.name)), sweep),
    }))
    const rank = ({ name }: ArmFolders) =>
      sweep.positions.get(basename(resolve(name))) ?? sweep.positions.size
    placed.sort((a, b) => rank(a) - rank(b))
    for (const [place, index] of indexes.entries()) sorted[index] = placed[place]!
  }
  return { arms: sorted, notes }
}

/** Returns the sweep in a folder, with a note if its sweep.json is damaged or missing. */
function readSweepOf(
  folder: string,
  run: string,
): { readonly sweep: SavedSweep | undefined; readonly note: string | null } {
  try {
    const sweep = readSavedSweep(folder)
    if (sweep !== undefined || !lacksPlan(folder, run)) return { sweep, note: null }
    return { sweep, note: `${join(folder, 'sweep.json')}: is missing; the arms are sorted by name` }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return { sweep: undefined, note: `${firstLine(error)}; the arms are sorted by name` }
  }
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

/** Returns the baseline that --baseline names: by its folder, or by its name in the printed table. */
async function findBaseline(
  baseline: string,
  arms: readonly ArmFolders[],
  source: RunSource,
): Promise<ArmFolders> {
  const subject = `--baseline ${baseline}`
  const { arms: found } = await expandArgument(baseline, source).catch((error) => {
    if (!(error instanceof EigenaeError)) throw error
    const labels = armLabels(arms)
    const arm = arms[labels.indexOf(baseline)] ?? arms.find(({ name }) => basename(name) === baseline)
    if (arm !== undefined) return { arms: [arm], notes: [] }
    throw usageError({
      problem: 'is neither a folder of runs nor an arm',
      subject,
      hint: `The arms: ${labels.join(', ')}.`,
    })
  })
  if (found.length === 1) return found[0]!
  throw usageError({
    problem: `holds ${found.length} arms; the baseline must be one arm`,
    subject,
    hint: `Name one of them, for example ${found[0]!.name}.`,
  })
}

/** Returns the baseline among the arms of the first argument. */
function chooseBaseline(arms: readonly ArmRuns[]): Pick<ReadArms, 'baseline' | 'notes'> {
  const [first] = arms
  const named = first!.place?.sweep.baseline ?? null
  const intended =
    arms.find(({ place, name }) => place !== null && basename(resolve(name)) === named) ?? first!
  const usable = [intended, ...arms].find(({ runs }) => runs.length > 0)
  if (usable === undefined || usable === intended) return { baseline: intended, notes: [] }
  const note = `the baseline ${intended.name} has no completed run: the arms are tested against ${usable.name}`
  return { baseline: usable, notes: intended.place === null ? [] : [note] }
}

// 2. From the folders to completed runs.

async function readRunsOf(arms: readonly ArmFolders[], source: RunSource): Promise<readonly ArmRuns[]> {
  const read = await readRuns(
    arms.flatMap((arm) => arm.runs),
    (folder) => readUsable(folder, source),
  )
  let next = 0
  return arms.map(({ name, place, runs }) => {
    const own = read.slice(next, next + runs.length)
    next += runs.length
    const usable = own.filter((run): run is WholeRun => !isUnusable(run))
    return {
      name,
      place,
      runs: usable.filter((run) => run.status === 'completed'),
      leftOut: usable.filter((run) => run.status !== 'completed'),
      unusable: own.filter(isUnusable),
    }
  })
}

async function readUsable(folder: string, source: RunSource): Promise<WholeRun | UnusableRun> {
  try {
    return await source.readRun(folder)
  } catch (error) {
    if (error instanceof EigenaeError) return { folder, error }
    throw error
  }
}

function isUnusable(run: WholeRun | UnusableRun): run is UnusableRun {
  return 'error' in run
}

/** @throws a usage error if the baseline has no completed run. */
function requireCompletedRun({ name, runs, leftOut, unusable }: ArmRuns): void {
  if (runs.length > 0) return
  throw usageError({
    problem: 'holds no completed run',
    subject: name,
    details: [
      ...leftOut.map((run) => `${run.folder}: ${run.status}`),
      ...unusable.flatMap(({ error }) => error.message.split('\n')),
    ].slice(0, 10),
    hint: 'Finish it with eigenae train … --resume, or name another baseline.',
  })
}

// 3. From completed runs to statistics, one metric at a time.

/** The values of a metric in the runs of an arm. */
export interface Sample {
  readonly arm: Arm
  /** Ascending. */
  readonly seeds: readonly number[]
  /** One value per seed. */
  readonly values: readonly number[]
}

/** Returns the results of a metric in the arms' completed runs. */
export function resultsOf(arms: readonly Arm[], metric: Metric): readonly Result[] {
  const samples = arms.map((arm) => sampleOf(arm, metric)).filter(({ values }) => values.length > 0)
  const baseline = samples.find(({ arm }) => arm.baseline)
  const differences = new Map(
    samples
      .filter((sample) => baseline !== undefined && sample !== baseline)
      .map((sample) => [sample, metricDifference(sample, baseline!, metric)]),
  )
  const correctedP = correctPValues([...differences.values()])
  const summaries = samples.map(({ values }) => summarise(values))
  const best = bestMean(summaries, metric)
  return samples.map((sample, index) => {
    const difference = differences.get(sample)
    return {
      arm: sample.arm,
      metric,
      summary: summaries[index]!,
      versus: difference ? { ...difference, correctedP: correctedP.get(difference) ?? null } : null,
      best: summaries[index]!.mean === best && samples.length > 1,
    }
  })
}

/** A metric that depends on the arm's own loss, such as the training loss, is not tested: its values are not comparable. */
function metricDifference(sample: Sample, baseline: Sample, metric: Metric): Difference {
  const difference = differenceOf(sample, baseline)
  if (meaningOf(metric).better !== null) return difference
  return { ...difference, interval: null, test: null, detectable: null, hedgesG: null }
}

/** Returns the runs' values by ascending seed, so that the values of a pair have the same index. */
export function sampleOf(arm: Arm, metric: Metric): Sample {
  const measured = arm.runs
    .flatMap((run) => {
      const value = metricOf(run, metric)
      return value === null ? [] : [{ seed: run.record.seed, value }]
    })
    .sort((a, b) => a.seed - b.seed)
  return { arm, seeds: measured.map(({ seed }) => seed), values: measured.map(({ value }) => value) }
}

/** Pairs the runs if both arms hold the same seeds once each: such runs share initial weights, order and noise. */
export function differenceOf(sample: Sample, baseline: Sample): Difference {
  const distinct = new Set(sample.seeds).size === sample.seeds.length
  const same = distinct && sample.seeds.join() === baseline.seeds.join()
  return same ? pairedTest(sample.values, baseline.values) : welchTest(sample.values, baseline.values)
}

function correctPValues(differences: readonly Difference[]): ReadonlyMap<Difference, number> {
  const tested = differences.filter(({ test }) => test !== null)
  const corrected = correctByHolm(tested.map(({ test }) => test!.p))
  return new Map(tested.map((difference, index) => [difference, corrected[index]!]))
}

function bestMean(summaries: readonly Summary[], metric: Metric): number | null {
  const { better } = meaningOf(metric)
  const means = summaries.map(({ mean }) => mean)
  if (better === null || new Set(means).size < 2) return null
  return better === 'lower' ? Math.min(...means) : Math.max(...means)
}
