/** The arms of a sweep, as its sweep.json describes them: their names, order, baseline and settings. */
import { type ArmParts, armParts, baselineArm, type Grid } from '../config/arm-name.js'
import { readPlan } from '../runs/sweep-plan.js'
import { compareNaturally } from '../text/names.js'

export interface SavedSweep {
  readonly folder: string
  readonly name: string
  /** The position of each arm by its name: the order is that of the sweep file, but numbers and lists of the grid ascend. */
  readonly positions: ReadonlyMap<string, number>
  /** The arm that the sweep file names as the baseline; null if it names none. */
  readonly baseline: string | null
  readonly grid: Grid
  /** The searched config paths of each variant. */
  readonly searched: ReadonlyMap<string, readonly string[]>
  /** The metric and the rungs by which a search stops trials early; null if it does not. */
  readonly halving: { readonly metric: string; readonly epochs: readonly number[] } | null
}

/** Returns the sweep in a folder, undefined if there is none. @throws EigenaeError if its sweep.json is damaged. */
export function readSavedSweep(folder: string): SavedSweep | undefined {
  const plan = readPlan(folder)
  if (plan === undefined) return undefined
  const { name, baseline, runs, search } = plan
  const grid = new Map(Object.entries(plan.grid))
  const arms = sortArms([...new Set(runs.map((run) => run.replace(/\/[^/]*$/, '')))], grid)
  return {
    folder,
    name,
    positions: new Map(arms.map((arm, position) => [arm, position])),
    baseline: baseline === undefined ? null : (baselineArm(baseline, arms) ?? null),
    grid,
    searched: new Map(
      Object.entries(search?.spaces ?? {}).map(([variant, space]) => [variant, Object.keys(space)]),
    ),
    halving: search?.halving ?? null,
  }
}

/** Sorts arms by variant, then by the values of the grid, axis by axis, then by trial. */
function sortArms(arms: readonly string[], grid: Grid): readonly string[] {
  const variants = [...new Set(arms.map((arm) => arm.split(',')[0]))]
  const axes = [...grid].map(([path, values]) => ({ path, ranks: ranksOf(values) }))
  const keyOf = (arm: string) => {
    const parts = armParts(arm, grid)
    const valueAt = (path: string) => parts?.grid.find((each) => each.path === path)?.value
    const ranks = axes.map((axis) => axis.ranks.get(valueAt(axis.path)) ?? 0)
    return [variants.indexOf(arm.split(',')[0]), ...ranks, parts?.trial ?? 0]
  }
  return arms
    .map((arm) => ({ arm, key: keyOf(arm) }))
    .sort((a, b) => {
      const differing = a.key.findIndex((value, place) => value !== b.key[place])
      return differing < 0 ? 0 : a.key[differing]! - b.key[differing]!
    })
    .map(({ arm }) => arm)
}

/** Returns the place of each value on its axis: numbers and lists of them ascend, others keep the order of the sweep file. */
function ranksOf(values: readonly unknown[]): ReadonlyMap<unknown, number> {
  const isNumeric = values.every((value) => typeof value === 'number')
  const isList = (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === 'number')
  const inOrder = isNumeric
    ? values.toSorted((a, b) => a - b)
    : values.every(isList)
      ? values.toSorted((a, b) => compareNaturally(String(a), String(b)))
      : values
  return new Map(inOrder.map((value, rank) => [value, rank]))
}

/** An arm's place in the sweep that made it. */
export interface SweepPlace extends ArmParts {
  readonly sweep: SavedSweep
}

/** Returns the place of a folder in the sweep of its parent folder, null if it is not one of its arms. */
export function placeInSweep(folderName: string, sweep: SavedSweep | undefined): SweepPlace | null {
  if (sweep === undefined || !sweep.positions.has(folderName)) return null
  const parts = armParts(folderName, sweep.grid)
  return parts === null ? null : { ...parts, sweep }
}

/** Returns the sweep that made all arms, null if there is none. */
export function commonSweep(arms: readonly { readonly place: SweepPlace | null }[]): SavedSweep | null {
  const [first = null, ...others] = arms.map(({ place }) => place?.sweep ?? null)
  return others.every((sweep) => sweep?.folder === first?.folder) ? first : null
}

/** Returns the config paths that the sweep sets in this arm: those of the grid, then those of the search. */
export function sweptPaths({ variant, sweep, grid, trial }: SweepPlace): readonly string[] {
  return [...grid.map(({ path }) => path), ...(trial === null ? [] : (sweep.searched.get(variant) ?? []))]
}

/** Returns the config paths that the sweep sets in any arm. */
export function variedPaths({ grid, searched }: SavedSweep): readonly string[] {
  return [...new Set([...grid.keys(), ...[...searched.values()].flat()])]
}

/** Returns the last keys of each path, as few as keep the paths distinct: "loss.eigen.weight" → "weight". */
export function shortPaths(paths: readonly string[]): ReadonlyMap<string, string> {
  const suffix = (path: string, keys: number) => path.split('.').slice(-keys).join('.')
  return new Map(
    paths.map((path) => {
      const others = paths.filter((other) => other !== path)
      const depths = path.split('.').map((_, index) => index + 1)
      const enough = depths.find((keys) =>
        others.every((other) => suffix(other, keys) !== suffix(path, keys)),
      )
      return [path, suffix(path, enough ?? depths.length)]
    }),
  )
}
