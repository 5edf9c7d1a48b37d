import type { ConfigFile, Override } from '../config/load.js'
import type { Search } from '../config/search.js'
import { extremesOf, resolveSettings, trialsOf } from './trials.js'

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
  const variantsByLine = new Map<string, Set<string>>()
  for (const [variant, file] of files) {
    for (const line of linesOf(search, variant, file, overridesOf(variant))) {
      const variants = variantsByLine.get(line) ?? new Set()
      variantsByLine.set(line, variants.add(variant))
    }
  }
  return [...variantsByLine].map(([line, variants]) => {
    const names = [...variants].join(', ')
    return `${line} (variant${variants.size === 1 ? '' : 's'} ${names})`
  })
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
