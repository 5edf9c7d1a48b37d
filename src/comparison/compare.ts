/**
 * How a comparison is made, from top to bottom: arguments → arms → completed runs → statistics → a table of results.
 * text.ts prints the table, export.ts and src/report write it to files.
 */
import { basename, dirname, join, normalize, resolve } from 'node:path'
import type { Config } from '../config/schema.js'
import { EigenaeError, firstLine, usageError } from '../errors.js'
import { type FoundRuns, lacksPlan, readArmOrder, runsNamed } from '../runs/find.js'
import { type Metric, meaningOf, metricOf, metrics } from '../runs/metrics.js'
import { readRuns, readWholeRun, type WholeRun } from '../runs/read.js'
import { labelArms, shortNames } from './differences.js'
import {
  correctByHolm,
  type Difference,
  pairedTest,
  type Summary,
  summarise,
  welchTest,
} from './statistics.js'
import { warningsOf } from './warnings.js'

export interface Comparison {
  /** The baseline first. */
  readonly arms: readonly Arm[]
  /** The results of each metric are adjacent, the baseline's first. */
  readonly results: readonly Result[]
  readonly warnings: readonly string[]
}

/** The runs of an arm: one run, or the runs of a folder, which differ only in their seeds. */
export interface ArmRuns {
  /** The arm's folder, as it was named in the arguments. */
  readonly name: string
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

/** An arm with its labels. */
export interface Arm extends ArmRuns {
  readonly shortName: string
  /** The settings that distinguish its config from the other arms' configs; "" if there are none. */
  readonly difference: string
  /** The difference, or the name if the difference is not distinguishing. No two arms have the same label. */
  readonly label: string
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

/** Reads the arms and compares them with the baseline, which is the first arm of the comparison. */
export async function compareRuns(
  folders: readonly string[],
  baseline: string | undefined,
): Promise<Comparison> {
  const { arms: read, notes } = await readArms(folders, baseline)
  const complete = requireCompletedArms(read)
  const dropped = read.filter((arm) => !complete.includes(arm))
  const arms = labelArms(complete)
  return {
    arms,
    results: metrics.flatMap((metric) => resultsOf(arms, metric)),
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
interface ArmFolders {
  readonly name: string
  /** The folders of its runs. */
  readonly runs: readonly string[]
}

interface Expansion {
  readonly arms: readonly ArmFolders[]
  readonly notes: readonly string[]
}

/**
 * Reads the arms that the arguments name. A run folder is an arm of one run, a folder of runs is an arm, and a folder of
 * arms stands for all of them, in the order of the sweep file if a sweep made them. The baseline comes first: the one that
 * is named, or else the first arm of the first argument that has a completed run. The notes name the folders and files
 * that could not be read, one per line.
 */
export async function readArms(
  folders: readonly string[],
  baseline: string | undefined,
  source: RunSource = files,
): Promise<{ readonly arms: readonly ArmRuns[]; readonly notes: readonly string[] }> {
  const expansions = await Promise.all(folders.map((folder) => expandArgument(folder, source)))
  const arms = expansions.flatMap((expansion) => expansion.arms)
  const ordered = baseline === undefined ? arms : [await findBaseline(baseline, arms, source), ...arms]
  const seen = new Set<string>()
  const unique = ordered.filter(({ name }) => seen.size < seen.add(resolve(name)).size)
  const candidates = baseline === undefined ? expansions[0]!.arms.length : 1
  return {
    arms: moveBaselineFirst(await readRunsOf(unique, source), candidates),
    notes: [...new Set(expansions.flatMap(({ notes }) => notes))],
  }
}

async function expandArgument(argument: string, source: RunSource): Promise<Expansion> {
  const folder = normalize(argument).replace(/(?<=.)\/+$/, '')
  const { runs, unreadable } = await source.runsNamed(folder)
  if (runs[0] === folder) return { arms: [{ name: folder, runs }], notes: [] }
  const { arms, notes } = sortBySweepFile(armsIn(folder, runs))
  return { arms, notes: [...unreadable.map((error) => `left out: ${firstLine(error)}`), ...notes] }
}

function armsIn(folder: string, runs: readonly string[]): readonly ArmFolders[] {
  const byParent = groupBy(runs, (run) => join(run, '..'))
  return [...byParent].flatMap(([parent, siblings]) => {
    // A run beside arms, for example from --out runs/first, is an arm of its own.
    const besideArms = parent === folder && byParent.size > 1
    return besideArms
      ? siblings.map((run) => ({ name: run, runs: [run] }))
      : [{ name: parent, runs: siblings }]
  })
}

/** Sorts the arms of each sweep in the order of its sweep file. Arms that it does not name come last. */
function sortBySweepFile(arms: readonly ArmFolders[]): Expansion {
  const notes: string[] = []
  const sorted = [...arms]
  for (const [folder, indexes] of groupBy([...arms.keys()], (index) => dirname(arms[index]!.name))) {
    if (indexes.length === 1) continue
    try {
      const order = readArmOrder(folder)
      if (order === undefined) {
        if (lacksPlan(folder, arms[indexes[0]!]!.runs[0]!))
          notes.push(`${join(folder, 'sweep.json')}: is missing; the arms are sorted by name`)
        continue
      }
      const rank = ({ name }: ArmFolders) => order.get(basename(name)) ?? order.size
      const siblings = indexes.map((index) => arms[index]!).sort((a, b) => rank(a) - rank(b))
      for (const [place, index] of indexes.entries()) sorted[index] = siblings[place]!
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      notes.push(`${firstLine(error)}; the arms are sorted by name`)
    }
  }
  return { arms: sorted, notes }
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
    const names = shortNames(arms.map(({ name }) => name))
    const arm = arms[names.indexOf(baseline)]
    if (arm !== undefined) return { arms: [arm], notes: [] }
    throw usageError({
      problem: 'is neither a folder of runs nor an arm',
      subject,
      hint: `The arms: ${names.join(', ')}.`,
    })
  })
  if (found.length === 1) return found[0]!
  throw usageError({
    problem: `holds ${found.length} arms; the baseline must be one arm`,
    subject,
    hint: `Name one of them, for example ${found[0]!.name}.`,
  })
}

/** Moves the first arm with a completed run to the front if it is among the first `candidates` arms. */
function moveBaselineFirst(arms: readonly ArmRuns[], candidates: number): readonly ArmRuns[] {
  const index = arms.slice(0, candidates).findIndex(({ runs }) => runs.length > 0)
  if (index <= 0) return arms
  return [arms[index]!, ...arms.slice(0, index), ...arms.slice(index + 1)]
}

// 2. From the folders to completed runs.

async function readRunsOf(arms: readonly ArmFolders[], source: RunSource): Promise<readonly ArmRuns[]> {
  const read = await readRuns(
    arms.flatMap((arm) => arm.runs),
    (folder) => readUsable(folder, source),
  )
  let next = 0
  return arms.map(({ name, runs }) => {
    const own = read.slice(next, next + runs.length)
    next += runs.length
    const usable = own.filter((run): run is WholeRun => !isUnusable(run))
    return {
      name,
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

/**
 * Returns the arms that have a completed run.
 * @throws a usage error if the baseline has none.
 */
function requireCompletedArms(arms: readonly ArmRuns[]): readonly ArmRuns[] {
  const complete = arms.filter(({ runs }) => runs.length > 0)
  const [baseline] = arms
  if (complete.length > 0 && complete[0] === baseline) return complete
  throw usageError({
    problem: 'holds no completed run',
    subject: baseline!.name,
    details: [
      ...baseline!.leftOut.map((run) => `${run.folder}: ${run.status}`),
      ...baseline!.unusable.flatMap(({ error }) => error.message.split('\n')),
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
  const [first, ...others] = samples
  const baseline = first?.arm === arms[0] ? first : undefined
  const differences = baseline ? others.map((sample) => differenceOf(sample, baseline)) : []
  const correctedP = correctPValues(differences)
  const summaries = samples.map(({ values }) => summarise(values))
  const best = bestMean(summaries, metric)
  return samples.map(({ arm }, index) => {
    const difference = arm === arms[0] ? undefined : differences[index - 1]
    return {
      arm,
      metric,
      summary: summaries[index]!,
      versus: difference ? { ...difference, correctedP: correctedP.get(difference) ?? null } : null,
      best: summaries[index]!.mean === best && samples.length > 1,
    }
  })
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
