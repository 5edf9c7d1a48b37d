/** The arms that a comparison shows: those of --arms and --where, ordered by --sort and cut by --top. */
import { basename } from 'node:path'
import type { Config } from '../config/schema.js'
import { usageError } from '../errors.js'
import { isTestMetric, type Metric, meaningOf, metricOf, metrics } from '../runs/metrics.js'
import { conditionOf, type Expression } from '../runs/query.js'
import { shortened } from '../text/format.js'
import { nearestName } from '../text/names.js'
import type { ReadArms } from './arms.js'
import type { ArmRuns } from './comparison.js'
import { armFinder, armLabels } from './labels.js'
import { meanOf } from './statistics.js'

export interface ArmSelection {
  /** Names or folders of arms with commas between them; undefined for all arms. */
  readonly arms?: string | undefined
  /** All must hold. A condition on a metric concerns the mean of an arm, any other one its single runs. */
  readonly where?: readonly Expression[]
  /** The metric by which the arms are sorted, the best first. */
  readonly sort?: Metric | undefined
  /** Number of arms that are shown at most, the best ones, besides a baseline that is not among them. */
  readonly top?: number | undefined
}

/**
 * Returns the arms of --arms with the runs of --where. A named baseline stays, with all of its runs if none of them matches.
 * @throws a usage error if an arm or a name in a condition is unknown.
 */
export function selectArms(all: ReadArms, { arms: list, where = [] }: ArmSelection): ReadArms {
  const named = list === undefined ? null : new Set(namedArms(list, all.arms))
  // A trial that --arms names is compared even if its search stopped it at an earlier rung than others.
  const read = { ...all, stopped: all.stopped.filter((arm) => !named?.has(arm)) }
  const isKept = (arm: ArmRuns) => arm === read.baseline && !read.arbitrary
  const chosen = read.arms.filter((arm) => named === null || named.has(arm) || isKept(arm))
  const conditions = conditionsOn(chosen, where).filter(({ metric }) => metric === null)
  if (conditions.length === 0) return withArms(read, chosen)
  const matches = (run: ArmRuns['runs'][number]) =>
    conditions.every(({ field, holds }) => holds(field.of(run)))
  const filtered = chosen.flatMap((arm): readonly ArmRuns[] => {
    const kept = { ...arm, runs: arm.runs.filter(matches), leftOut: arm.leftOut.filter(matches) }
    if (isKept(arm)) return [kept.runs.length > 0 ? kept : arm]
    return kept.runs.length + kept.leftOut.length > 0 ? [kept] : []
  })
  return withArms(read, filtered)
}

/** @throws a usage error if there are none. */
function withArms(read: ReadArms, arms: readonly ArmRuns[]): ReadArms {
  const stoppedNames = new Set(read.stopped.map(({ name }) => name))
  const first = arms.find(({ runs }) => runs.length > 0) ?? arms[0]
  if (first === undefined) throw nothingMatches()
  return {
    ...read,
    arms,
    baseline: arms.find(({ name }) => name === read.baseline.name) ?? first,
    stopped: arms.filter(({ name }) => stoppedNames.has(name)),
  }
}

function nothingMatches() {
  return usageError({ problem: 'no arm that can be compared matches --arms and --where' })
}

/**
 * Returns the arms of a list. Names of folders have commas, so the longest name counts that the list has in a place.
 * @throws a usage error if a name means no arm or several.
 */
function namedArms(list: string, arms: readonly ArmRuns[]): readonly ArmRuns[] {
  const armsNamed = armFinder(arms)
  const parts = list.split(',').map((part) => part.trim())
  const found: ArmRuns[] = []
  for (let start = 0; start < parts.length; ) {
    const ends = parts.map((_, index) => parts.length - index).filter((end) => end > start)
    const named = ends.map((end) => ({ end, meant: armsNamed(parts.slice(start, end).join(',')) }))
    const one = named.find(({ meant }) => meant.length === 1)
    if (one === undefined) throw unknownArm(parts[start]!, named.at(-1)!.meant, arms)
    found.push(one.meant[0]!)
    start = one.end
  }
  return found
}

// More names would hide the problem.
const mostNamed = 5

function unknownArm(name: string, meant: readonly ArmRuns[], arms: readonly ArmRuns[]) {
  const labels = armLabels(arms)
  if (meant.length > 0) {
    const names = meant.map((arm) => labels[arms.indexOf(arm)]!)
    return usageError({
      problem: `"${name}" stands for ${meant.length} arms`,
      subject: '--arms',
      hint: `Name one of them: ${shortened(names, mostNamed).join(', ')}.`,
    })
  }
  const near = nearestName(name, [...arms.flatMap((arm) => [basename(arm.name), arm.name]), ...labels])
  return usageError({
    problem: `unknown arm "${name}"`,
    subject: '--arms',
    hint: near === null ? `The arms: ${labels.join(', ')}.` : `Did you mean ${near}?`,
  })
}

/** Returns the conditions, those on a metric with its name. */
function conditionsOn(arms: readonly ArmRuns[], where: readonly Expression[]) {
  const runs = arms.flatMap((arm) => [...arm.runs, ...arm.leftOut])
  return where.map((expression) => ({
    ...conditionOf(expression, runs),
    metric: metrics.find((metric) => metric === expression.name) ?? null,
  }))
}

/**
 * Returns the arms in the order of --sort or, with --top alone, by the metric that ranks them, and those of them that are
 * shown. @throws a usage error if no arm matches the conditions on metrics.
 */
export function rankArms(
  { baseline, arbitrary }: ReadArms,
  arms: readonly ArmRuns[],
  { where = [], sort, top }: ArmSelection,
  rankedBy: Metric,
) {
  const means = new Map(arms.map((arm) => [arm, armMean(arm, rankedBy)]))
  const isSorted = sort !== undefined || top !== undefined
  const ordered = isSorted ? bestFirst(arms, rankedBy, (arm) => means.get(arm)!) : arms
  const conditions = conditionsOn(arms, where)
  const matching = ordered.filter((arm) =>
    conditions.every(({ metric, holds }) => metric === null || holds(armMean(arm, metric))),
  )
  if (matching.length === 0) throw nothingMatches()
  const kept = new Set(matching.slice(0, top))
  if (!arbitrary) kept.add(baseline)
  return { ordered, shown: ordered.filter((arm) => kept.has(arm)) }
}

/** Returns the mean of a metric over the completed runs that have it, null if none has. */
function armMean({ runs }: ArmRuns, metric: Metric): number | null {
  const values = runs.flatMap((run) => metricOf(run, metric) ?? [])
  return values.length === 0 ? null : meanOf(values)
}

/** Returns items sorted by a mean of a metric: the best first, and those without it last in their order. */
export function bestFirst<A>(
  items: readonly A[],
  metric: Metric,
  meanOf: (item: A) => number | null,
): readonly A[] {
  const sign = meaningOf(metric).better === 'higher' ? -1 : 1
  const keyed = items.map((item) => ({ item, key: sign * (meanOf(item) ?? sign * Number.POSITIVE_INFINITY) }))
  return keyed.sort((a, b) => (a.key === b.key ? 0 : a.key - b.key)).map(({ item }) => item)
}

/** Returns the metric by which arms are chosen unless another is named: on validation images if all runs or arms have some. */
export function choosingMetric(runs: readonly { readonly config: Pick<Config, 'data'> }[]): Metric {
  return runs.every(({ config }) => config.data.validation > 0)
    ? 'validation_denoise_mse'
    : 'test_denoise_mse'
}

/** Returns a warning if arms that have validation images are chosen by a metric of the test images. */
export function choiceWarnings(
  runs: Parameters<typeof choosingMetric>[0],
  metric: Metric | undefined,
): readonly string[] {
  const better = choosingMetric(runs)
  if (metric === undefined || !isTestMetric(metric) || isTestMetric(better)) return []
  return [
    `${metric} is measured on test images, which a choice by it makes biased; these runs have ${better}`,
  ]
}
