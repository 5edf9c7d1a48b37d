/**
 * How a comparison is made: arguments → arms → completed runs (arms.ts) → results (statistics.ts). comparison-tables.ts makes
 * tables of the results; terminal.ts prints them, formats.ts and src/pages/report write them to files.
 */
import { usageError } from '../errors.js'
import { latentDimension } from '../model/architecture.js'
import { type Metric, meaningOf, metricOf, metrics, rangeOf } from '../runs/metrics.js'
import { misplacedHint } from '../runs/sweep-plan.js'
import { eigenaeCommand } from '../text/command-line.js'
import { count, shortened } from '../text/format.js'
import { withoutShared } from '../text/shorten.js'
import { type ReadArms, readArms } from './arms.js'
import type { Arm, ArmRuns, Comparison, LabelledArm, Result } from './comparison.js'
import { armLabels, labelArms } from './labels.js'
import { type ArmSelection, choiceWarnings, choosingMetric, rankArms, selectArms } from './selection.js'
import {
  correctByHolm,
  type Difference,
  pairedTest,
  type Summary,
  summarise,
  welchTest,
} from './statistics.js'
import { commonSweep } from './sweep-arms.js'
import { warningsOf } from './warnings.js'

/** Reads the arms, selects some of them and compares them with the baseline. */
export async function compareRuns(
  folders: readonly string[],
  baseline: string | undefined,
  selection: ArmSelection = {},
): Promise<Comparison> {
  const read = selectArms(await readArms(folders, baseline), selection)
  requireCompletedRun(read.baseline)
  const complete = read.arms.filter((arm) => arm.runs.length > 0 && !read.stopped.includes(arm))
  const dropped = read.arms.filter(({ runs }) => runs.length === 0)
  const runs = complete.flatMap((arm) => arm.runs)
  const rankedBy = selection.sort ?? choosingMetric(runs)
  const { ordered, shown } = rankArms(read, complete, selection, rankedBy)
  const warnings = [...choiceWarnings(runs, selection.sort), ...warningsOf(shown, dropped)]
  const isLeaderboard = selection.top !== undefined
  return compareArms(read, ordered, warnings, {
    shown,
    rankedBy,
    ranked: selection.sort !== undefined || isLeaderboard,
    // A leaderboard lists the arms with results.
    dropped: isLeaderboard ? [] : dropped,
  })
}

interface Ranking {
  /** The arms that are shown, in the order of the compared ones. */
  readonly shown: readonly ArmRuns[]
  readonly rankedBy: Metric
  readonly ranked: boolean
  readonly dropped: readonly ArmRuns[]
}

/**
 * Compares the completed runs of some of the arms that were read.
 * @param compared arms with completed runs, or with runs that train: they have no results yet. The first that is shown is the
 * baseline if that of `read` is not among them, or is arbitrary
 */
export function compareArms(
  { arms: all, baseline, arbitrary, stopped, notes }: ReadArms,
  compared: readonly ArmRuns[],
  warnings: readonly string[],
  ranking?: Ranking,
): Comparison {
  const shown = ranking?.shown ?? compared
  const isCompared = new Set(compared)
  const dropped = ranking?.dropped ?? all.filter((arm) => !isCompared.has(arm) && !stopped.includes(arm))
  const rows = new Set([...shown, ...dropped])
  const labels = armLabels(all)
  const { shared, rests } = withoutShared(labels.filter((_, index) => rows.has(all[index]!)))
  const names = new Map(
    all.map((arm, index) => {
      const label = labels[index]!
      return [arm, { label, shown: rests.get(label) ?? label }]
    }),
  )
  const withNames = (arm: ArmRuns) => ({ ...arm, ...names.get(arm)! })
  const labelled = labelArms(compared, names, isCompared.has(baseline) && !arbitrary ? baseline : shown[0]!)
  const isShown = new Set(shown)
  const arms = labelled.filter((_, index) => isShown.has(compared[index]!))
  const tested = !arbitrary
  return {
    arms,
    baseline: arms.find((arm) => arm.baseline)!,
    tested,
    rankedBy: ranking?.rankedBy ?? choosingMetric(labelled),
    ranked: ranking?.ranked ?? false,
    sweep: commonSweep(arms),
    results: metrics.flatMap((metric) => resultsOf(labelled, metric, { shown: arms, tested })),
    shared,
    dropped: dropped.map(withNames),
    chosenAmong: chosenAmong(labelled, ranking?.ranked ?? false),
    stopped: stopped.map(withNames),
    warnings: [...notes, ...warnings, ...stoppedText(stopped.map(withNames))],
  }
}

/** Arms are compared to choose one if a grid or a search made them, or if they are ranked. */
function chosenAmong(compared: readonly Arm[], ranked: boolean): number | null {
  if (!ranked && compared.every(({ settings }) => settings.length === 0)) return null
  const sweeps = new Map(compared.map(({ place }) => [place?.sweep.folder, place?.sweep.positions.size ?? 0]))
  const others = compared.filter(({ place }) => place === null)
  const among = [...sweeps.values()].reduce((sum, arms) => sum + arms, others.length)
  return among > 1 ? among : null
}

function stoppedText(stopped: readonly LabelledArm[]): readonly string[] {
  if (stopped.length === 0) return []
  const names = shortened(
    stopped.map(({ label }) => label),
    10,
  )
  return [
    `left out: ${count(stopped.length, 'trial')} that the search stopped at an earlier rung: ${names.join(', ')}`,
  ]
}

/** @throws a usage error if the baseline has no completed run. */
function requireCompletedRun({ name, runs, leftOut, unusable }: ArmRuns): void {
  if (runs.length > 0) return
  const areMisplaced =
    leftOut.length === 0 && unusable.every(({ error }) => error.parts.hint === misplacedHint)
  const finish = `Finish it with ${eigenaeCommand('train … --resume')}, or name another baseline.`
  const hint = areMisplaced ? misplacedHint : finish
  throw usageError({
    problem: 'holds no completed run',
    subject: name,
    details: [
      ...leftOut.map((run) => `${run.folder}: ${run.status}`),
      ...unusable.flatMap(({ error }) => error.message.split('\n')).filter((line) => line !== hint),
    ].slice(0, 10),
    hint,
  })
}

/** The values of a metric in the runs of an arm. */
export interface Sample {
  readonly arm: Arm
  /** Ascending. */
  readonly seeds: readonly number[]
  /** One value per seed. */
  readonly values: readonly number[]
}

/**
 * Returns the results of a metric in the completed runs of some of the arms. The p-values are corrected over all of them: those
 * that are not shown were left out because of their results.
 */
function resultsOf(
  arms: readonly Arm[],
  metric: Metric,
  { shown, tested }: { readonly shown: readonly Arm[]; readonly tested: boolean },
): readonly Result[] {
  const samples = arms.map((arm) => sampleOf(arm, metric)).filter(({ values }) => values.length > 0)
  const baseline = samples.find(({ arm }) => arm.baseline)
  const differences = samples.map((sample) =>
    baseline === undefined || sample === baseline
      ? null
      : tested
        ? metricDifference(sample, baseline, metric)
        : untested(differenceOf(sample, baseline)),
  )
  const correctedP = correctByHolm(differences.flatMap((difference) => difference?.test?.p ?? []))
  const summaries = samples.map((sample) => summaryOf(sample, metric))
  const isShown = new Set(shown)
  let place = 0
  const results = samples
    .map(({ arm }, index) => {
      const difference = differences[index]!
      const versus = difference && { ...difference, correctedP: difference.test && correctedP[place++]! }
      return { arm, metric, summary: summaries[index]!, versus }
    })
    .filter(({ arm }) => isShown.has(arm))
  const means = results.map(({ summary }) => summary)
  const best = areComparable(shown, metric) ? bestMean(means, metric) : null
  return results.map((result) => ({ ...result, best: result.summary.mean === best && results.length > 1 }))
}

/**
 * Returns false for metrics that depend on each arm's own loss, such as the training loss, and for those of the spectrum if
 * the arms differ in the size of the latent: of 32 equal singular values the largest share is 1/32, of 10 it is 1/10.
 */
export function areComparable(arms: readonly Arm[], metric: Metric): boolean {
  const { better, bySize } = meaningOf(metric)
  const sizes = new Set(arms.map(({ config }) => latentDimension(config.model)))
  return better !== null && !(bySize && sizes.size > 1)
}

/** Returns the difference, without a test if the values are not comparable. */
export function metricDifference(sample: Sample, baseline: Sample, metric: Metric): Difference {
  const difference = differenceOf(sample, baseline)
  return areComparable([sample.arm, baseline.arm], metric) ? difference : untested(difference)
}

function untested(difference: Difference): Difference {
  return { ...difference, interval: null, test: null, detectable: null, hedgesG: null }
}

export function summaryOf({ arm, values }: Sample, metric: Metric): Summary {
  return summarise(values, rangeOf(metric, latentDimension(arm.config.model)))
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
function differenceOf(sample: Sample, baseline: Sample): Difference {
  const distinct = new Set(sample.seeds).size === sample.seeds.length
  const same = distinct && sample.seeds.join() === baseline.seeds.join()
  return same ? pairedTest(sample.values, baseline.values) : welchTest(sample.values, baseline.values)
}

function bestMean(summaries: readonly Summary[], metric: Metric): number | null {
  const { better } = meaningOf(metric)
  const means = summaries.map(({ mean }) => mean)
  if (new Set(means).size < 2) return null
  return better === 'lower' ? Math.min(...means) : Math.max(...means)
}
