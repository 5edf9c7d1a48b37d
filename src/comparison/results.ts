// From completed runs to statistics, one metric at a time.
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import type { Arm, Result } from './comparison.js'
import {
  correctByHolm,
  type Difference,
  pairedTest,
  type Summary,
  summarise,
  welchTest,
} from './statistics.js'

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
  const differences = samples.map((sample) =>
    baseline === undefined || sample === baseline ? null : metricDifference(sample, baseline, metric),
  )
  const correctedP = correctByHolm(differences.flatMap((difference) => difference?.test?.p ?? []))
  const summaries = samples.map(({ values }) => summarise(values))
  const best = bestMean(summaries, metric)
  let tested = 0
  return samples.map(({ arm }, index) => {
    const difference = differences[index]!
    return {
      arm,
      metric,
      summary: summaries[index]!,
      versus: difference && { ...difference, correctedP: difference.test && correctedP[tested++]! },
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

function bestMean(summaries: readonly Summary[], metric: Metric): number | null {
  const { better } = meaningOf(metric)
  const means = summaries.map(({ mean }) => mean)
  if (better === null || new Set(means).size < 2) return null
  return better === 'lower' ? Math.min(...means) : Math.max(...means)
}
