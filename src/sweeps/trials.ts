import { type ConfigFile, type Override, type Resolution, resolveConfig } from '../config/load.js'
import { overlaps } from '../config/paths.js'
import type { Axis, Search } from '../config/search.js'
import { haltonAxis } from './halton.js'

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

/** The trials of one variant. */
export interface Trials {
  readonly trials: readonly Trial[]
  /** Trials with the values of an earlier one: spaces with few values have them. They are left out. */
  readonly repeated: number
}

/**
 * Returns the trials of a variant, null if it is not searched. Each depends on the search's seed, its number and the axes
 * alone, so that a search with more trials has those of a shorter one.
 */
export function trialsOf(search: Search | null, variant: string): Trials | null {
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
export function extremesOf(axis: Axis): readonly unknown[] {
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
