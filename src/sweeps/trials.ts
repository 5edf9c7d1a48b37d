import { type ConfigFile, type Override, type Resolution, resolveConfig } from '../config/load.js'
import { overlaps } from '../config/paths.js'
import { type Axis, maximumAxes, type Search } from '../config/sweep.js'
import { purpose, randomPermutation } from '../model/random.js'

/** A config path and its value in one arm. */
export interface SweepSetting {
  readonly path: string
  readonly value: unknown
  /** Where the sweep file sets it, for messages: "grid train.batchSize", or an axis's location. */
  readonly flag: string
}

/** One point of a search. */
export interface Trial {
  /** From 1. */
  readonly number: number
  readonly settings: readonly SweepSetting[]
}

/**
 * Returns the trials of a variant, null if it is not searched. Each depends on the search's seed, its number and the axes
 * alone, so that a search with more trials has those of a shorter one. Trials with the values of an earlier one, which
 * spaces with few values have, are left out and counted as `repeated`.
 */
export function trialsOf(search: Search | null, variant: string) {
  const axes = search?.spaces.get(variant) ?? []
  if (search === null || axes.length === 0) return null
  const coordinates = axes.map(({ coordinate }) => haltonAxis(search.seed, coordinate))
  const seen = new Set<string>()
  const trials: Trial[] = []
  for (let index = 0; index < search.trials; index++) {
    const settings = axes.map(({ path, axis, location }, place) => ({
      path,
      value: valueOn(axis, coordinates[place]!(index)),
      flag: location,
    }))
    const key = JSON.stringify(settings)
    if (!seen.has(key)) trials.push({ number: index + 1, settings })
    seen.add(key)
  }
  return { trials, repeated: search.trials - trials.length }
}

/**
 * Returns the config of an arm, but for the seed. An eigen loss may have no effect in some arms if the widths are set for
 * the arms rather than written in the variant's config.
 */
export function resolveSettings(
  file: ConfigFile,
  overrides: readonly Override[],
  settings: readonly SweepSetting[],
): Resolution {
  const ofSettings = settings.map(({ path, value, flag }) => ({ path: path.split('.'), value, flag }))
  const all = [...overrides, ...ofSettings]
  const setsWidths = all.some(({ path }) => overlaps(path.join('.'), ['model.widths']))
  const advice = ', or keep the variant out with "fixed"'
  return resolveConfig(file, all, setsWidths ? 'swept' : 'written', advice)
}

/** Returns the values at the ends of an axis: if a config accepts them, it accepts those between. */
function extremesOf(axis: Axis): readonly unknown[] {
  if ('choice' in axis) return axis.choice
  if ('integer' in axis) return axis.integer
  return 'log' in axis ? axis.log : axis.uniform
}

/** Maps a coordinate in [0, 1) to the axis. */
function valueOn(axis: Axis, coordinate: number): unknown {
  if ('choice' in axis) return axis.choice[Math.floor(coordinate * axis.choice.length)]
  if ('integer' in axis) {
    const [low, high] = axis.integer
    return low + Math.floor(coordinate * (high - low + 1))
  }
  if ('uniform' in axis) {
    const [low, high] = axis.uniform
    return roundBetween(low * (1 - coordinate) + high * coordinate, low, high)
  }
  const [low, high] = axis.log
  return roundBetween(Math.exp(Math.log(low) * (1 - coordinate) + Math.log(high) * coordinate), low, high)
}

// Enough for any setting, and few enough to be read in tables and typed again.
const digits = 4

/** Rounds to four significant digits, to more where the bounds lie so close that they share leading digits. */
function roundBetween(value: number, low: number, high: number): number {
  const shared = Math.floor(Math.log10(Math.max(Math.abs(low), Math.abs(high)) / (high - low)))
  const precision = Math.min(17, digits + Math.max(0, shared))
  return Math.min(high, Math.max(low, Number(value.toPrecision(precision))))
}

const bases = firstPrimes(maximumAxes)

/**
 * Returns one coordinate of a randomised Halton sequence: a function from a point's index (0, 1, …) to a number in
 * [0, 1). Axis j uses the j-th prime b as its base. The index is written in base b, each digit is replaced through a
 * random permutation of its own, also the leading zeros, and the digits are mirrored at the point (Owen, "A randomized
 * Halton algorithm in R", 2017, arXiv:1706.02808). The first bᵏ points, and every later block of bᵏ, have exactly one
 * in each interval [i/bᵏ, (i+1)/bᵏ). A coordinate depends on seed, axis and index alone, so a longer sequence begins
 * with the shorter one.
 */
export function haltonAxis(seed: number, axis: number): (index: number) => number {
  const base = bases[axis]!
  const digits = Math.floor(53 / Math.log2(base))
  const permutations = Array.from({ length: digits }, (_, place) =>
    randomPermutation(base, [seed, purpose.search], [axis, place]),
  )
  // At most 2⁵³, so that the numerator is exact and the quotient is less than 1.
  const denominator = permutations.reduce((product) => product * base, 1)
  return (index) => {
    let numerator = 0
    let rest = index
    for (const permutation of permutations) {
      numerator = numerator * base + permutation[rest % base]!
      rest = Math.floor(rest / base)
    }
    return numerator / denominator
  }
}

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = []
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number)
  }
  return primes
}

/**
 * Returns the mistakes of all spaces, one line each with its location: paths that a config does not have, and bounds or
 * choices that it refuses. Each axis is tried at its extremes, the others at their values in the first trial, so that
 * one wrong axis gives one line, not one for each trial.
 */
export function spaceMistakes(
  search: Search,
  files: ReadonlyMap<string, ConfigFile>,
  overridesOf: (variant: string) => readonly Override[],
): readonly string[] {
  const lines = [...files].flatMap(([variant, file]) =>
    linesOf(search, variant, file, overridesOf(variant)).map((line) => ({ line, name: variant })),
  )
  return [...namesByLine(lines)].map(
    ([line, variants]) => `${line} (variant${variants.length === 1 ? '' : 's'} ${variants.join(', ')})`,
  )
}

/** Groups the names of the arms or variants that share a line of a message. */
export function namesByLine(
  lines: readonly { readonly line: string; readonly name: string }[],
): ReadonlyMap<string, readonly string[]> {
  const byLine = new Map<string, Set<string>>()
  for (const { line, name } of lines) byLine.set(line, (byLine.get(line) ?? new Set()).add(name))
  return new Map([...byLine].map(([line, names]) => [line, [...names]]))
}

function linesOf(
  search: Search,
  variant: string,
  file: ConfigFile,
  overrides: readonly Override[],
): readonly string[] {
  const first = trialsOf({ ...search, trials: 1 }, variant)?.trials[0]?.settings ?? []
  return search.spaces.get(variant)!.flatMap(({ path, axis, location: flag }) => {
    const others = first.filter((setting) => setting.path !== path)
    return extremesOf(axis).flatMap((value) => {
      const resolution = resolveSettings(file, overrides, [...others, { path, value, flag }])
      return resolution.kind === 'config' ? [] : resolution.lines.filter((line) => line.startsWith(flag))
    })
  })
}
