import type { Config } from '../config/schema.js'
import { usageError } from '../errors.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { eigenaeCommand } from '../text/eigenae-command.js'
import { significant } from '../text/format.js'
import type { Arm, Comparison } from './comparison.js'
import { differingPaths, fieldsOf } from './differences.js'
import { differenceOf, sampleOf } from './results.js'
import { type Difference, type Summary, summarise } from './statistics.js'
import { meanText } from './text.js'

export interface RankedArm {
  readonly arm: Arm
  readonly seeds: readonly number[]
  readonly summary: Summary
}

/** An arm that is not judged, since its mean is over fewer seeds than that of others. */
export interface LeftOutArm {
  readonly arm: Arm
  /** With the metric. */
  readonly seeds: readonly number[]
  readonly reason: string
}

export interface Best {
  readonly metric: Metric
  /** Seeds of each judged arm. */
  readonly seedCount: number
  /** The best mean first. */
  readonly ranking: readonly RankedArm[]
  /** The runner-up's values minus those of the best; null if there is one arm alone. */
  readonly difference: Difference | null
  readonly leftOut: readonly LeftOutArm[]
}

/**
 * Ranks the arms by their means over the seeds. An arm with fewer seeds than the others is left out, since few seeds give
 * extreme means by chance. @throws a usage error if no run has the metric.
 */
export function bestArm({ arms }: Comparison, metric: Metric): Best {
  const samples = arms.map((arm) => sampleOf(arm, metric))
  const seedCount = Math.max(...samples.map(({ values }) => values.length))
  if (seedCount === 0)
    throw usageError({
      problem: `no completed run has ${metric}`,
      subject: '--metric',
      hint: `Name another metric: ${eigenaeCommand('compare')} shows those that the runs have.`,
    })
  const sign = meaningOf(metric).better === 'higher' ? -1 : 1
  const judged = samples
    .filter(({ values }) => values.length === seedCount)
    .map((sample) => ({ ...sample, summary: summarise(sample.values) }))
    .sort((a, b) => sign * (a.summary.mean - b.summary.mean))
  const [best, runnerUp] = judged
  return {
    metric,
    seedCount,
    ranking: judged,
    difference: runnerUp === undefined ? null : differenceOf(runnerUp, best!),
    leftOut: samples
      .filter(({ values }) => values.length < seedCount)
      .map(({ arm, seeds }) => ({ arm, seeds, reason: reasonOf(arm, seeds.length, seedCount, metric) })),
  }
}

/** Returns "1 of 3 seeds (1 failed, 1 without linear_probe_accuracy)". */
function reasonOf({ runs, leftOut }: Arm, seeds: number, seedCount: number, metric: Metric): string {
  const counts = new Map<string, number>()
  for (const { status } of leftOut) counts.set(status, (counts.get(status) ?? 0) + 1)
  const lacking = runs.length - seeds
  const parts = [
    ...[...counts].map(([status, count]) => `${count} ${status}`),
    ...(lacking > 0 ? [`${lacking} without ${metric}`] : []),
  ]
  return `${seeds} of ${seedCount} seeds${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
}

/** Returns the best arm and the runner-up for people. */
export function bestText({ metric, ranking, seedCount, difference }: Best, { arms }: Comparison): string {
  const { title, better } = meaningOf(metric)
  const settings = settingsOf(arms.map(({ config }) => config))
  const [first, second] = ranking
  const seeds = seedCount === 1 ? 'one seed' : `mean of ${seedCount} seeds`
  const interval = first!.summary.interval === null ? '' : ' ± 95 % interval'
  const lines = [
    `${title} (${metric}), ${better} is better: ${seeds}${interval}`,
    '',
    ...linesOf('best', first!, settings),
    ...(second === undefined ? [] : linesOf('runner-up', second, settings)),
    ...(difference === null ? [] : [`  ${differenceText(difference, first!.summary.mean)}`]),
  ]
  if (ranking.length === 1) return [...lines, '', 'There is no other arm with as many seeds.'].join('\n')
  return [
    ...lines,
    '',
    `The best of ${ranking.length} arms looks better than it is: train it again with other seeds.`,
  ].join('\n')
}

function linesOf(
  rank: string,
  { arm, summary }: RankedArm,
  settings: (config: Config) => string,
): readonly string[] {
  return [`${rank}: ${meanText(summary)}  ${arm.name}`, `  ${settings(arm.config)}`].filter(
    (line) => line.trim() !== '',
  )
}

/** Returns a function that prints a config's values where the configs of the arms differ. */
function settingsOf(configs: readonly Config[]): (config: Config) => string {
  const paths = differingPaths(configs.map((config) => fieldsOf(config)))
  return (config) => {
    const fields = fieldsOf(config)
    return paths
      .filter((path) => fields.has(path))
      .map((path) => `${path}=${fields.get(path)}`)
      .join(' ')
  }
}

function differenceText({ difference, interval, test }: Difference, best: number): string {
  const share = best === 0 ? '' : ` (${formatSigned(100 * (difference / Math.abs(best)), 2)} %)`
  const parts = [
    `difference to the best ${formatSigned(difference, 3)}${share}`,
    ...(interval === null
      ? []
      : [`95 % interval ${formatSigned(interval.low, 3)} to ${formatSigned(interval.high, 3)}`]),
    ...(test === null ? [] : [`p ${test.p < 0.001 ? '< 0.001' : test.p.toFixed(3)}`, testNames[test.kind]]),
  ]
  return parts.join(', ')
}

const testNames = { paired: 'paired t-test over the same seeds', welch: "Welch's t-test" } as const

function formatSigned(value: number, digits: number): string {
  return `${value > 0 ? '+' : ''}${significant(value, digits)}`.replace('-', '−')
}

/** Returns what --json prints. */
export function bestJson(
  { metric, ranking, seedCount, difference, leftOut }: Best,
  { warnings }: Comparison,
): object {
  const [first, second] = ranking
  return {
    metric,
    better: meaningOf(metric).better,
    arms: ranking.length,
    seeds: seedCount,
    best: { ...rankedJson(first!), config: first!.arm.config },
    runner_up:
      second === undefined
        ? null
        : {
            ...rankedJson(second),
            difference: difference!.difference,
            difference_low: difference!.interval?.low ?? null,
            difference_high: difference!.interval?.high ?? null,
            test: difference!.test?.kind ?? null,
            p_value: difference!.test?.p ?? null,
          },
    left_out: leftOut.map(({ arm, seeds, reason }) => ({
      arm: arm.label,
      folder: arm.name,
      seeds,
      reason,
    })),
    warnings,
  }
}

function rankedJson({ arm, seeds, summary }: RankedArm): object {
  return {
    arm: arm.label,
    folder: arm.name,
    seeds,
    mean: summary.mean,
    sd: summary.sd,
    low: summary.interval?.low ?? null,
    high: summary.interval?.high ?? null,
  }
}
