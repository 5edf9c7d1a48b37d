import { formatSeeds } from '../config/sweep.js'
import { type EigenaeError, usageError } from '../errors.js'
import { isTestMetric, type Metric, meaningOf } from '../runs/metrics.js'
import { eigenaeCommand } from '../text/command-line.js'
import { shortened, significant } from '../text/format.js'
import { alignedTable } from '../text/table.js'
import { metricDifference, type Sample, sampleOf, summaryOf } from './compare.js'
import type { Arm, ArmRuns, Comparison, LabelledArm } from './comparison.js'
import {
  bestOfNote,
  meanText,
  probabilityText,
  signed,
  statesText,
  testChoiceNote,
} from './comparison-tables.js'
import { differingFields } from './labels.js'
import { bestFirst, choiceWarnings, choosingMetric } from './selection.js'
import { type Difference, fewestTested, optimismOf, type Summary, testNames } from './statistics.js'

interface RankedArm {
  readonly arm: Arm
  /** The mean of the metric over the shared seeds, with its interval. */
  readonly summary: Summary
}

interface Best {
  readonly metric: Metric
  /** The seeds of which each judged arm has exactly one run with the metric, ascending. */
  readonly seeds: readonly number[]
  /** The other seeds, which would enter the means of some arms alone, with the arms that lack exactly one run of them. */
  readonly ignored: readonly { readonly seed: number; readonly lacking: readonly Arm[] }[]
  /** The best mean first. */
  readonly ranking: readonly RankedArm[]
  /** The runner-up's values minus those of the best; null if there is one arm alone. */
  readonly difference: Difference | null
  /** The number of arms from which the best is chosen, those of their sweeps included that are not judged. */
  readonly among: number
  /** By how much the best mean is better than new seeds would show; null if it is not estimated. */
  readonly optimism: number | null
  /** The arms that are not judged, because none of their runs has the metric. */
  readonly leftOut: readonly { readonly arm: Arm | LabelledArm; readonly reason: string }[]
}

/**
 * Ranks the arms by their means over the seeds that all of them share: a mean over other seeds may be better by chance.
 * @throws a usage error if no run has the metric, or if no seed has exactly one run in every arm.
 */
export function bestArm({ arms, chosenAmong, dropped }: Comparison, metric: Metric): Best {
  const all = arms.map((arm) => sampleOf(arm, metric))
  const samples = all.filter(({ values }) => values.length > 0)
  if (samples.length === 0)
    throw usageError({
      problem: `no completed run has ${metric}`,
      subject: '--metric',
      hint: `Name another metric: ${eigenaeCommand('compare')} shows those that the runs have.`,
    })
  const { seeds, ignored } = sharedSeeds(samples)
  if (seeds.length === 0) throw noSharedSeed(samples)
  const shared = samples.map((sample) => {
    const values = seeds.map((seed) => sample.values[sample.seeds.indexOf(seed)]!)
    return { arm: sample.arm, seeds, values, summary: summaryOf({ ...sample, values }, metric) }
  })
  const judged = bestFirst(shared, metric, ({ summary }) => summary.mean)
  const [best, runnerUp] = judged
  const lacking = all.filter(({ values }) => values.length === 0).map(({ arm }) => arm)
  return {
    metric,
    seeds,
    ignored,
    ranking: judged,
    difference: runnerUp === undefined ? null : metricDifference(runnerUp, best!, metric),
    among: chosenAmong ?? judged.length,
    optimism:
      judged.length > 1 && seeds.length >= fewestTested
        ? optimismOf(
            judged.map(({ values }) => values),
            meaningOf(metric).better ?? 'lower',
          )
        : null,
    leftOut: [...lacking, ...dropped].map((arm) => ({ arm, reason: reasonOf(arm, metric) })),
  }
}

/** Returns the seeds of which each arm has exactly one run, and the others. */
export function sharedSeeds(samples: readonly Sample[]): Pick<Best, 'seeds' | 'ignored'> {
  const once = samples.map(({ arm, seeds }) => {
    const repeated = repeatedSeeds(seeds)
    return { arm, seeds: new Set(seeds.filter((seed) => !repeated.includes(seed))) }
  })
  const all = [...new Set(samples.flatMap(({ seeds }) => seeds))].sort((a, b) => a - b)
  const checked = all.map((seed) => ({
    seed,
    lacking: once.filter(({ seeds }) => !seeds.has(seed)).map(({ arm }) => arm),
  }))
  return {
    seeds: checked.filter(({ lacking }) => lacking.length === 0).map(({ seed }) => seed),
    ignored: checked.filter(({ lacking }) => lacking.length > 0),
  }
}

/** Returns the seeds that occur more than once among ascending seeds. */
function repeatedSeeds(seeds: readonly number[]): readonly number[] {
  return [...new Set(seeds.filter((seed, index) => seed === seeds[index - 1]))]
}

// More lines would hide the hint.
const mostListed = 10

function noSharedSeed(samples: readonly Sample[]): EigenaeError {
  const details = shortened(samples.map(seedsText), mostListed)
  if (samples.some(({ seeds }) => repeatedSeeds(seeds).length > 0))
    return usageError({
      problem: `no seed has exactly one run${samples.length === 1 ? '' : ' in every arm'}`,
      details,
      hint: 'Name one run of each seed.',
    })
  return usageError({
    problem: 'the arms share no seed, so their means cannot be compared',
    details,
    hint: 'Train the missing seeds, or name only arms that share seeds.',
  })
}

/** Returns "runs/eigen: seeds 0-2, several runs of 0,2". */
function seedsText({ arm, seeds }: Sample): string {
  const repeated = repeatedSeeds(seeds)
  const several = repeated.length === 0 ? '' : `, several runs of ${formatSeeds(repeated)}`
  return `${arm.name}: seeds ${formatSeeds([...new Set(seeds)])}${several}`
}

/** Returns "2 failed, 1 damaged, 1 without linear_probe_accuracy". */
function reasonOf(arm: ArmRuns, metric: Metric): string {
  const { length } = arm.runs
  return [statesText(arm), length > 0 ? `${length} without ${metric}` : ''].filter(Boolean).join(', ')
}

// More names would hide the seed.
const mostNamed = 3

/** Returns a line for each ignored seed and each arm that is not judged. The comparison has one for each dropped arm. */
export function bestWarnings({ metric, ignored, leftOut }: Best, { arms }: Comparison): readonly string[] {
  return [
    ...choiceWarnings(arms, metric),
    ...ignored.map(({ seed, lacking }) => {
      const more = lacking.length - mostNamed
      const names = lacking.slice(0, mostNamed).map(({ name }) => name)
      const arms = [...names, ...(more > 0 ? [`${more} more`] : [])].join(', ')
      return `seed ${seed} is ignored: ${arms} ${lacking.length === 1 ? 'does' : 'do'} not have exactly one run of it with ${metric}`
    }),
    ...leftOut
      .filter(({ arm }) => arm.runs.length > 0)
      .map(({ arm, reason }) => `not judged: ${arm.name}, ${reason}`),
  ]
}

/** Returns the best arm and the runner-up for people, or a table of the given number of arms. */
export function bestText(best: Best, { arms, stopped }: Comparison, top: number | undefined): string {
  const { metric, ranking, seeds, difference, among, optimism } = best
  const { title, better } = meaningOf(metric)
  const { paths, fields } = differingFields(arms.map(({ config }) => config))
  const settingsOf = (arm: Arm) => {
    const own = fields[arms.indexOf(arm)]!
    return paths.filter((path) => own.has(path)).map((path) => `${path}=${own.get(path)}`)
  }
  const { mean, interval } = ranking[0]!.summary
  const basis =
    seeds.length === 1 ? `seed ${seeds[0]}` : `mean of ${seeds.length} seeds (${formatSeeds(seeds)})`
  const table = ranking
    .slice(0, top)
    .map(({ arm, summary }, rank) => [
      String(rank + 1),
      meanText(summary),
      arm.name,
      settingsOf(arm).join(' '),
    ])
  const pair = ranking
    .slice(0, 2)
    .flatMap(({ arm, summary }, rank) => [
      `${rank === 0 ? 'best' : 'runner-up'}: ${meanText(summary)}  ${arm.name}`,
      `  ${settingsOf(arm).join(' ')}`,
    ])
  return [
    `${title} (${metric}), ${better} is better: ${basis}${interval === null ? '' : ' ± 95 % interval'}`,
    '',
    ...(top === undefined
      ? pair.filter((line) => line.trim() !== '')
      : [alignedTable(table, ['right', 'right', 'left', 'left'], ['', 'mean', 'arm', 'settings'])]),
    ...(difference === null
      ? []
      : [`${top === undefined ? '  ' : 'runner-up: '}${leadText(difference, mean)}`]),
    '',
    among === 1 ? 'There is no other arm.' : bestOfNote(among),
    ...(stopped.length === 0 ? [] : [`${stopped.length} of them stopped at an earlier rung.`]),
    ...(optimism === null
      ? among === 1
        ? []
        : [`The optimism of the choice is not estimated: ${withoutOptimism(best)}.`]
      : [
          `Estimated optimism of the choice: ${significant(optimism, 2)}, so expect ${significant(expectedMean(best)!)} (bootstrap over the seeds).`,
        ]),
    ...(isTestMetric(metric) && isTestMetric(choosingMetric(arms)) ? [testChoiceNote] : []),
  ].join('\n')
}

/** Returns why the optimism is not estimated. */
function withoutOptimism({ ranking, seeds }: Best): string {
  if (ranking.length === 1) return 'only one arm is judged'
  return `that needs three seeds, and the arms share ${seeds.length}`
}

/** Returns the mean of the best arm without the estimated optimism. */
function expectedMean({ metric, ranking, optimism }: Best): number | null {
  if (optimism === null) return null
  return ranking[0]!.summary.mean + (meaningOf(metric).better === 'higher' ? -optimism : optimism)
}

function leadText({ difference, interval, test }: Difference, best: number): string {
  const text = (value: number, digits: number) => signed(value, significant(value, digits))
  const share = best === 0 ? '' : ` (${text(100 * (difference / Math.abs(best)), 2)} %)`
  return [
    `difference from the best ${text(difference, 3)}${share}`,
    ...(interval === null ? [] : [`95 % interval ${text(interval.low, 3)} to ${text(interval.high, 3)}`]),
    ...(test === null ? [] : [`p ${probabilityText(test.p)}`, testNames[test.kind]]),
  ].join(', ')
}

/** Returns what --json prints. @param top the number of ranked arms; undefined for none */
export function bestJson(
  best: Best,
  { arms, warnings, stopped }: Comparison,
  top: number | undefined,
): object {
  const { metric, ranking, seeds, ignored, difference, leftOut, among, optimism } = best
  const [first, second] = ranking
  const ranked = ({ arm, summary }: RankedArm) => ({
    arm: arm.label,
    folder: arm.name,
    seeds,
    mean: summary.mean,
    sd: summary.sd,
    low: summary.interval?.low ?? null,
    high: summary.interval?.high ?? null,
  })
  return {
    metric,
    better: meaningOf(metric).better,
    arms: ranking.length,
    stopped_earlier: stopped.length,
    seeds: seeds.length,
    best: { ...ranked(first!), config: first!.arm.config },
    runner_up:
      second === undefined
        ? null
        : {
            ...ranked(second),
            difference: difference!.difference,
            difference_low: difference!.interval?.low ?? null,
            difference_high: difference!.interval?.high ?? null,
            test: difference!.test?.kind ?? null,
            p_value: difference!.test?.p ?? null,
          },
    left_out: leftOut.map(({ arm, reason }) => ({ arm: arm.label, folder: arm.name, seeds: [], reason })),
    warnings: [...choiceWarnings(arms, metric), ...warnings],
    ignored_seeds: ignored.map(({ seed, lacking }) => ({ seed, lacking: lacking.map(({ name }) => name) })),
    chosen_among: among,
    optimism,
    expected_mean: expectedMean(best),
    optimism_missing: optimism === null ? withoutOptimism(best) : null,
    chosen_on_test: isTestMetric(metric),
    ...(top !== undefined && { ranking: ranking.slice(0, top).map(ranked) }),
  }
}
