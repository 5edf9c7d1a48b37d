/** Which setting matters: the parts of the variance of a grid, and the rank correlations of a search. */
import { groupBy } from '../group-by.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { count, significant } from '../text/format.js'
import { sampleOf } from './compare.js'
import type { Arm, Comparison } from './comparison.js'
import { listing, type Table } from './comparison-tables.js'
import { settingText } from './labels.js'
import { sharedSeeds } from './ranking.js'
import { choosingMetric } from './selection.js'
import { meanOf } from './statistics.js'

/** A value with its level of each factor: the settings, and last the seed. */
export interface Observation {
  readonly levels: readonly string[]
  readonly value: number
}

interface VariancePart {
  readonly degreesOfFreedom: number
  readonly sumOfSquares: number
}

/**
 * Returns the sum of squares of a factor or of the interaction of several in a balanced design: of the means of its levels,
 * less the effects of the factors and interactions within it (Montgomery, "Design and analysis of experiments", chapter 5).
 * With a single factor, the design may be unbalanced.
 * @param term the indexes of the factors
 */
export function varianceOf(observations: readonly Observation[], term: readonly number[]): VariancePart {
  const subsets = Array.from({ length: 2 ** term.length }, (_, subset) =>
    term.filter((_, index) => (subset >> index) % 2 === 1),
  )
  const deviations = new Float64Array(observations.length)
  for (const subset of subsets) {
    const keyOf = ({ levels }: Observation) => JSON.stringify(subset.map((factor) => levels[factor]))
    const means = new Map(
      [...groupBy(observations, keyOf)].map(([key, group]) => [key, meanOf(group.map(({ value }) => value))]),
    )
    const sign = (term.length - subset.length) % 2 === 0 ? 1 : -1
    for (const [index, each] of observations.entries()) deviations[index]! += sign * means.get(keyOf(each))!
  }
  const levels = term.map((factor) => new Set(observations.map((each) => each.levels[factor])).size)
  return {
    degreesOfFreedom: levels.reduce((product, size) => product * (size - 1), 1),
    sumOfSquares: deviations.reduce((sum, deviation) => sum + deviation ** 2, 0),
  }
}

/** Returns the ranks of values from 1 on, equal values with the mean of their ranks. */
function ranksOf(values: readonly number[]): readonly number[] {
  const ascending = values.toSorted((a, b) => a - b)
  return values.map((value) => (ascending.indexOf(value) + ascending.lastIndexOf(value)) / 2 + 1)
}

/**
 * Spearman's rank correlation, with its 95 % interval by Fisher's z and the variance (1 + r²/2) / (n − 3) of Bonett and Wright
 * ("Sample size requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65, 2000). The interval
 * is null with fewer than four pairs or a correlation of ±1; the correlation is NaN if one side does not vary.
 */
export function rankCorrelation(left: readonly number[], right: readonly number[]) {
  const [a, b] = [ranksOf(left), ranksOf(right)]
  const middle = (left.length + 1) / 2
  const product = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, index) => sum + (value - middle) * (y[index]! - middle), 0)
  const r = product(a, b) / Math.sqrt(product(a, a) * product(b, b))
  const half = normalQuantile * Math.sqrt((1 + r ** 2 / 2) / (left.length - 3))
  const end = (sign: number) => Math.tanh(Math.atanh(r) + sign * half)
  const isKnown = left.length > 3 && Math.abs(r) < 1
  return { r, interval: isKnown ? { low: end(-1), high: end(1) } : null }
}

/** The standard normal distribution's quantile at 0.975. */
const normalQuantile = 1.959963984540054

/**
 * The share of the variance of the values' ranks that lies between groups: ε² of Kruskal and Wallis's test, H / (n − 1)
 * (Tomczak and Tomczak, "The need to report effect size estimates revisited", 2014). NaN if the values are equal.
 */
export function epsilonSquared(groups: readonly string[], values: readonly number[]): number {
  const ranks = ranksOf(values)
  const observations = ranks.map((value, index) => ({ levels: [groups[index]!, String(index)], value }))
  return varianceOf(observations, [0]).sumOfSquares / varianceOf(observations, [1]).sumOfSquares
}

/** A part of the variance of a grid. */
interface GridEffect extends VariancePart {
  /** One path for a setting, two for an interaction; "variant" for the configs of the sweep file. */
  readonly settings: readonly string[]
  readonly kind: 'setting' | 'interaction' | 'seeds' | 'rest'
  readonly share: number
}

/** The association of a setting with the metric over the trials of a search. */
interface SearchEffect {
  readonly variant: string
  /** The config path alone. */
  readonly settings: readonly [string]
  readonly trials: number
  readonly measure: 'spearman' | 'epsilon_squared'
  readonly value: number
  /** Null for categories, and with fewer than four trials. */
  readonly interval: { readonly low: number; readonly high: number } | null
}

interface Basis {
  readonly metric: Metric
  readonly seeds: readonly number[]
  readonly notes: readonly string[]
}

export type Effects =
  | (Basis & { readonly design: 'grid'; readonly effects: readonly GridEffect[] })
  | (Basis & { readonly design: 'search'; readonly effects: readonly SearchEffect[] })

/** Returns the effects of a sweep's settings on a metric, or the reason why they cannot be computed. */
export function effectsOf(
  { arms, dropped, stopped, sweep }: Comparison,
  metric: Metric = choosingMetric(arms),
): Effects | string {
  if (sweep === null) return 'the arms are not those of one sweep'
  const isSearch = arms.some(({ place }) => place!.trial !== null)
  return isSearch ? searchEffects(arms, stopped.length, metric) : gridEffects(arms, dropped.length, metric)
}

/** The runs of one seed in all cells are a block of a randomised complete block design. */
function gridEffects(arms: readonly Arm[], dropped: number, metric: Metric): Effects | string {
  const paths = [...new Set(arms.flatMap(({ settings }) => settings.map(({ path }) => path)))]
  const isWhole = ({ settings }: Arm) => settings.length === paths.length
  const cells = arms.filter(isWhole).map((arm) => ({
    arm,
    levels: [arm.place!.variant, ...arm.settings.map((setting) => settingText(setting))],
  }))
  const levelsOf = (factor: number) => new Set(cells.map(({ levels }) => levels[factor])).size
  const names = ['variant', ...paths]
  const factors = [...names.keys()].filter((factor) => levelsOf(factor) > 1)
  if (factors.length === 0) return 'no setting has several values'
  const samples = cells.map(({ arm }) => sampleOf(arm, metric)).filter(({ values }) => values.length > 0)
  const combinations = factors.reduce((product, factor) => product * levelsOf(factor), 1)
  if (samples.length < combinations)
    return `no compared run has ${metric} in ${combinations - samples.length} of the ${combinations} combinations of the settings`
  const { seeds, ignored } = sharedSeeds(samples)
  if (seeds.length < 2)
    return `the arms share ${count(seeds.length, 'seed')} with ${metric}; two are needed to separate effects from chance`
  const blocks = names.length
  const observations = samples.flatMap(({ seeds: own, values }, cell) =>
    seeds.map((seed) => ({
      levels: [...cells[cell]!.levels, String(seed)],
      value: values[own.indexOf(seed)]!,
    })),
  )
  const mean = meanOf(observations.map(({ value }) => value))
  const total = observations.reduce((sum, { value }) => sum + (value - mean) ** 2, 0)
  if (!(total > 0)) return `${metric} is the same in all runs`
  const effectOf = (kind: GridEffect['kind'], term: readonly number[]): GridEffect => {
    const part = varianceOf(observations, term)
    const settings = kind === 'seeds' ? [] : term.map((factor) => names[factor]!)
    return { settings, kind, ...part, share: part.sumOfSquares / total }
  }
  const pairs = factors.flatMap((a, index) => factors.slice(index + 1).map((b) => [a, b]))
  const known = [
    ...factors.map((factor) => effectOf('setting', [factor])),
    ...pairs.map((pair) => effectOf('interaction', pair)),
  ].sort((a, b) => b.share - a.share)
  const withSeeds = [...known, effectOf('seeds', [blocks])]
  const left = (all: number, value: (effect: GridEffect) => number) =>
    Math.max(0, all - withSeeds.reduce((sum, effect) => sum + value(effect), 0))
  const partial = arms.filter((arm) => !isWhole(arm)).map(({ label }) => label)
  return {
    metric,
    design: 'grid',
    seeds,
    effects: [
      ...withSeeds,
      {
        settings: [],
        kind: 'rest',
        degreesOfFreedom: left(observations.length - 1, ({ degreesOfFreedom }) => degreesOfFreedom),
        sumOfSquares: left(total, ({ sumOfSquares }) => sumOfSquares),
        share: left(1, ({ share }) => share),
      },
    ],
    notes: [
      ...seedNotes(ignored),
      ...(partial.length > 0 ? [`${listing(partial)}: without all settings, so left out.`] : []),
      ...(dropped > 0 ? [`${count(dropped, 'arm')} without a completed run: left out.`] : []),
    ],
  }
}

function seedNotes(ignored: ReturnType<typeof sharedSeeds>['ignored']): readonly string[] {
  if (ignored.length === 0) return []
  const seeds = ignored.map(({ seed }) => seed).join(', ')
  return [`Only the seeds that all arms have once are used, without ${seeds}.`]
}

function searchEffects(arms: readonly Arm[], stopped: number, metric: Metric): Effects | string {
  const samples = arms.map((arm) => sampleOf(arm, metric)).filter(({ values }) => values.length > 0)
  const trials = samples.filter(({ arm }) => arm.place!.trial !== null)
  if (trials.length < 3) return `${count(trials.length, 'trial')} with ${metric}; three are needed`
  const { seeds, ignored } = sharedSeeds(trials)
  if (seeds.length === 0) return `the trials share no seed with ${metric}`
  const measured = trials.map(({ arm, seeds: own, values }) => ({
    arm,
    mean: meanOf(seeds.map((seed) => values[own.indexOf(seed)]!)),
  }))
  const effects = [...groupBy(measured, ({ arm }) => arm.place!.variant)].flatMap(([variant, group]) =>
    [...new Set(group.flatMap(({ arm }) => arm.settings.map(({ path }) => path)))].flatMap((path) => {
      const pairs = group.flatMap(({ arm, mean }) => {
        const setting = arm.settings.find((each) => each.path === path)
        return setting?.value === undefined ? [] : [{ setting, mean }]
      })
      return associationOf(variant, path, pairs)
    }),
  )
  if (effects.length === 0) return 'no setting has several values'
  return {
    metric,
    design: 'search',
    seeds,
    effects: effects.sort((a, b) => strengthOf(b) - strengthOf(a)),
    notes: [
      ...seedNotes(ignored),
      ...(stopped > 0
        ? [`${count(stopped, 'trial')} stopped at an earlier rung: left out, so that the settings vary less.`]
        : []),
    ],
  }
}

function associationOf(
  variant: string,
  setting: string,
  pairs: readonly { readonly setting: Arm['settings'][number]; readonly mean: number }[],
): readonly SearchEffect[] {
  const values = pairs.map((pair) => pair.setting.value)
  const means = pairs.map(({ mean }) => mean)
  const common = { variant, settings: [setting] as const, trials: pairs.length }
  const isNumeric = values.every((value): value is number => typeof value === 'number')
  const texts = pairs.map((pair) => settingText(pair.setting))
  const effect: SearchEffect = isNumeric
    ? { ...common, measure: 'spearman', ...correlation(values, means) }
    : { ...common, measure: 'epsilon_squared', value: epsilonSquared(texts, means), interval: null }
  return new Set(texts).size > 1 && Number.isFinite(effect.value) ? [effect] : []
}

/** A share of a variance is the square of a correlation. */
function strengthOf({ measure, value }: SearchEffect): number {
  return measure === 'spearman' ? Math.abs(value) : Math.sqrt(value)
}

function correlation(values: readonly number[], means: readonly number[]) {
  const { r, interval } = rankCorrelation(values, means)
  return { value: r, interval }
}

/** Returns an effect's name: "loss.eigen.weight × train.batchSize", "seeds". */
export function effectName(effect: GridEffect | SearchEffect, { effects }: Effects): string {
  if ('kind' in effect) return effect.settings.length === 0 ? effect.kind : effect.settings.join(' × ')
  const variants = new Set(effects.flatMap((each) => ('variant' in each ? [each.variant] : [])))
  return variants.size > 1 ? `${effect.variant}: ${effect.settings[0]}` : effect.settings[0]
}

/** Returns the effects as a table. */
export function effectsTable(effects: Effects): Table {
  const { title } = meaningOf(effects.metric)
  const right = (title: string) => ({ title, alignment: 'right' }) as const
  const cell = (value: number, text: string) => ({ text, value })
  if (effects.design === 'grid')
    return {
      heading: `Shares of the variance of ${title}`,
      columns: [
        { title: 'setting', alignment: 'left' },
        right('share %'),
        right('df'),
        right('sum of squares'),
      ],
      rows: effects.effects.map((effect) => [
        { text: effectName(effect, effects) },
        cell(effect.share, (100 * effect.share).toFixed(1)),
        cell(effect.degreesOfFreedom, String(effect.degreesOfFreedom)),
        cell(effect.sumOfSquares, significant(effect.sumOfSquares, 3)),
      ]),
    }
  return {
    heading: `Association of the settings with ${title}`,
    columns: [
      { title: 'setting', alignment: 'left' },
      right('trials'),
      right('Spearman'),
      right('95 %'),
      right('ε²'),
    ],
    rows: effects.effects.map((effect) => {
      const value = effect.value.toFixed(2).replace('-', '−')
      const { low, high } = effect.interval ?? {}
      const ends = [low, high].map((end) => end?.toFixed(2).replace('-', '−'))
      return [
        { text: effectName(effect, effects) },
        cell(effect.trials, String(effect.trials)),
        { text: effect.measure === 'spearman' ? value : '–' },
        { text: effect.interval === null ? '–' : `${ends[0]} to ${ends[1]}` },
        { text: effect.measure === 'spearman' ? '–' : value },
      ]
    }),
  }
}

/** Returns notes on how the effects are to be read. */
export function effectsNotes({ design, effects, seeds, notes }: Effects): readonly string[] {
  const meaning =
    design === 'grid'
      ? `Analysis of variance over the arms and ${count(seeds.length, 'seed')}, the seeds as blocks; the rest is chance and interactions of more than two.`
      : `Over the means of ${count(seeds.length, 'seed')}. A rank correlation sees only rising and falling effects, and no interactions.${effects.some((each) => 'measure' in each && each.measure === 'epsilon_squared') ? ' ε²: the share of the variance of the ranks between the values of a word.' : ''}`
  return [meaning, ...notes]
}

/** Returns the numbers of an effect for files. */
export function effectJson(effect: GridEffect | SearchEffect): Readonly<Record<string, unknown>> {
  if ('kind' in effect) {
    const { kind, share, degreesOfFreedom, sumOfSquares } = effect
    return { kind, share, degrees_of_freedom: degreesOfFreedom, sum_of_squares: sumOfSquares }
  }
  const { variant, trials, measure, value, interval } = effect
  return { variant, trials, measure, value, low: interval?.low ?? null, high: interval?.high ?? null }
}

/** Returns the effects in comparison.json. */
export function effectsJson({ effects, ...basis }: Effects): object {
  return { ...basis, rows: effects.map((effect) => ({ settings: effect.settings, ...effectJson(effect) })) }
}
