import type { Config } from '../config/schema.js'
import { type Metric, meaningOf, metricOf, metrics } from '../runs/metrics.js'
import type { WholeRun } from '../runs/read.js'
import { type Group, readGroups, shortNames, unusableLine, withoutEmpty } from './groups.js'
import { differenceLabels, uniqueLabels } from './labels.js'
import { type Difference, holm, paired, type Summary, summarise, welch } from './statistics.js'
import { warningsOf } from './warnings.js'

/** A group beside the others. */
export interface Arm {
  /** The group's folder. */
  readonly name: string
  readonly shortName: string
  /** What sets its config apart, "" where nothing does. */
  readonly difference: string
  /** The difference, or the name where that does not tell: no two arms have the same. */
  readonly label: string
  readonly config: Config
  readonly runs: readonly WholeRun[]
  readonly leftOut: readonly WholeRun[]
}

/** One metric of one arm: a row of comparison.csv. */
export interface Result {
  readonly arm: Arm
  readonly metric: Metric
  readonly summary: Summary
  /** Against the baseline; null for the baseline itself. */
  readonly versus: (Difference & { readonly correctedP: number | null }) | null
  /** Whether its mean is the best of the arms'. */
  readonly best: boolean
}

export interface Comparison {
  readonly arms: readonly Arm[]
  /** Metric by metric, the baseline first in each. */
  readonly results: readonly Result[]
  readonly warnings: readonly string[]
}

/** Reads the groups and sets them side by side; the baseline is the first arm. */
export async function compareRuns(
  folders: readonly string[],
  baseline: string | undefined,
): Promise<Comparison> {
  const { groups, notes } = await readGroups(folders, baseline)
  const kept = withoutEmpty(groups)
  const arms = armsOf(kept)
  const dropped = groups.filter((group) => !kept.includes(group))
  return {
    arms,
    results: metrics.flatMap((metric) => resultsOf(arms, metric)),
    warnings: [
      ...notes,
      ...warningsOf(kept),
      ...dropped.map(
        ({ name, leftOut, unusable }) =>
          `left out: ${name}, ${[...leftOut.map((run) => run.status), ...unusable.map(() => 'damaged')].join(', ')}`,
      ),
      ...dropped.flatMap(({ name, unusable }) => unusable.map((run) => unusableLine(run, name))),
    ],
  }
}

export function armsOf(groups: readonly Group[]): readonly Arm[] {
  const configs = groups.map(({ runs }) => runs[0]!.config)
  const differences = differenceLabels(configs)
  const short = shortNames(groups.map(({ name }) => name))
  const labels = uniqueLabels(differences, short)
  return groups.map(({ name, runs, leftOut }, index) => ({
    name,
    shortName: short[index]!,
    difference: differences[index]!,
    label: labels[index]!,
    config: configs[index]!,
    runs,
    leftOut,
  }))
}

interface Sample {
  readonly arm: Arm
  readonly seeds: readonly number[]
  readonly values: readonly number[]
}

function resultsOf(arms: readonly Arm[], metric: Metric): readonly Result[] {
  const samples = arms.map((arm) => sampleOf(arm, metric)).filter(({ values }) => values.length > 0)
  const [first, ...others] = samples
  const baseline = first?.arm === arms[0] ? first : undefined
  const differences = baseline ? others.map((sample) => differenceOf(sample, baseline)) : []
  const corrected = corrections(differences)
  const summaries = samples.map(({ values }) => summarise(values))
  const best = bestMean(summaries, metric)
  return samples.map(({ arm }, index) => {
    const difference = arm === arms[0] ? undefined : differences[index - 1]
    return {
      arm,
      metric,
      summary: summaries[index]!,
      versus: difference ? { ...difference, correctedP: corrected.get(difference) ?? null } : null,
      best: summaries[index]!.mean === best && samples.length > 1,
    }
  })
}

/** The runs' values by ascending seed, so that pairs stand at the same places. */
function sampleOf(arm: Arm, metric: Metric): Sample {
  const measured = arm.runs
    .flatMap((run) => {
      const value = metricOf(run, metric)
      return value === null ? [] : [{ seed: run.record.seed, value }]
    })
    .sort((a, b) => a.seed - b.seed)
  return { arm, seeds: measured.map(({ seed }) => seed), values: measured.map(({ value }) => value) }
}

/** Paired where both hold the same seeds, each once: their runs share initial weights, order and noise. */
function differenceOf(sample: Sample, baseline: Sample): Difference {
  const once = new Set(sample.seeds).size === sample.seeds.length
  const same = once && sample.seeds.join() === baseline.seeds.join()
  return same ? paired(sample.values, baseline.values) : welch(sample.values, baseline.values)
}

function corrections(differences: readonly Difference[]): ReadonlyMap<Difference, number> {
  const tested = differences.filter(({ test }) => test !== null)
  const corrected = holm(tested.map(({ test }) => test!.p))
  return new Map(tested.map((difference, index) => [difference, corrected[index]!]))
}

function bestMean(summaries: readonly Summary[], metric: Metric): number | null {
  const { better } = meaningOf(metric)
  const means = summaries.map(({ mean }) => mean)
  if (better === null || new Set(means).size < 2) return null
  return better === 'lower' ? Math.min(...means) : Math.max(...means)
}
