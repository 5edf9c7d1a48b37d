import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { closest, distance } from 'fastest-levenshtein'
import { armName, baselineArm, namedText } from '../config/arm-name.js'
import { valueAt } from '../config/json.js'
import type { Override } from '../config/load.js'
import { type ConfigFile, readConfigFile } from '../config/load.js'
import { isWithin, overlaps } from '../config/paths.js'
import type { Config } from '../config/schema.js'
import { gridOf, type SweepFile } from '../config/sweep.js'
import { configWarnings, effectWarnings } from '../config/warnings.js'
import { EigenaeError, usageError } from '../errors.js'
import { maxRuns } from '../runs/sweep-plan.js'
import { count, thousands } from '../text/format.js'
import { spaceMistakes } from './check-space.js'
import { resolveSettings, type SweepSetting, type Trials, trialsOf } from './trials.js'

/**
 * A config of the sweep file with one combination of the grid's values, in one trial of the search. The runs of an arm
 * differ only in the seed.
 */
export interface Arm {
  /** `eigen,train.batchSize=64` or `eigen,trial-007`, which is also the arm's folder in the sweep's folder. */
  readonly name: string
  readonly settings: readonly SweepSetting[]
}

export interface PlannedRun {
  /** `<arm>/seed-<n>`, which is also the run's folder in the sweep's folder. */
  readonly name: string
  readonly arm: Arm
  readonly config: Config
}

export interface SweepPlan {
  readonly sweep: SweepFile
  readonly arms: readonly Arm[]
  /** Ordered by seed first, so that a sweep that was stopped half-way has runs of every arm. */
  readonly runs: readonly PlannedRun[]
  /** Warnings about what may not be intended. */
  readonly notes: readonly string[]
}

/**
 * Expands a sweep file: every config of its field `variants` × every combination of the grid × every trial × every seed.
 * @throws one usage error that lists the mistakes of all runs, each once.
 */
export async function planSweep(sweep: SweepFile, overrides: readonly Override[]): Promise<SweepPlan> {
  rejectTooManyRuns(sweep)
  const mistakes = new Set(overrides.flatMap((override) => overrideMistakes(override, sweep)))
  const files = await readVariants(sweep, mistakes)
  const overridesOf = (variant: string) =>
    overrides.filter(({ path }) => !overlaps(path.join('.'), sweep.fixed.get(variant)))
  if (sweep.search !== null)
    for (const mistake of spaceMistakes(sweep.search, files, overridesOf)) mistakes.add(mistake)
  // Every trial would repeat these mistakes.
  const search = mistakes.size > 0 ? null : sweep.search
  const trials = new Map([...files.keys()].map((variant) => [variant, trialsOf(search, variant)]))
  const arms = [...files].flatMap(([variant, file]) => {
    const ofVariant = armsOf(variant, gridOf(sweep, variant), trials.get(variant) ?? null)
    return resolveArms(variant, file, ofVariant, overridesOf(variant), mistakes)
  })
  for (const mistake of sharedFolders(arms.map(({ arm }) => arm))) mistakes.add(mistake)
  for (const mistake of repeatedSeeds(sweep.seeds)) mistakes.add(mistake)
  // The names of the arms are incomplete if there are other mistakes.
  if (mistakes.size === 0) for (const mistake of baselineMistakes(sweep.baseline, arms)) mistakes.add(mistake)
  if (mistakes.size > 0) {
    throw usageError({ problem: 'this sweep cannot be run', subject: sweep.file, details: [...mistakes] })
  }
  const runs = sweep.seeds.flatMap((seed) =>
    arms.map(({ arm, config }) => ({
      name: join(arm.name, `seed-${seed}`),
      arm,
      config: { ...config, seed },
    })),
  )
  const notes = [
    ...[...files].flatMap(([variant, file]) =>
      addedLossNotes(variant, file, sweep, overridesOf(variant), arms),
    ),
    ...[...trials].flatMap(([variant, each]) => repeatedTrialNotes(variant, each, sweep)),
    ...new Set(arms.flatMap(({ arm, config }) => configNotes(arm, config))),
    ...effectNotes(arms),
  ]
  return { sweep, arms: arms.map(({ arm }) => arm), runs, notes }
}

/** Counts the runs before anything is expanded. */
function rejectTooManyRuns(sweep: SweepFile): void {
  const { file, variants, fixed, grid, search, seeds } = sweep
  const isSearched = (variant: string) => (search?.spaces.get(variant) ?? []).length > 0
  const sizes = [...variants.keys()].map((variant) =>
    [...gridOf(sweep, variant).values()].reduce(
      (product, values) => product * values.length,
      isSearched(variant) ? search!.trials : 1,
    ),
  )
  const runs = sizes.reduce((sum, size) => sum + size) * seeds.length
  if (runs <= maxRuns) return
  const searched = [...variants.keys()].filter(isSearched).length
  const factors = [
    search === null
      ? count(variants.size, 'config')
      : `(${count(searched, 'config')} × ${count(search.trials, 'trial')} + ${count(variants.size - searched, 'config')})`,
    ...[...grid].map(([path, values]) => `${count(values.length, 'value')} of ${path}`),
    count(seeds.length, 'seed'),
  ]
  throw usageError({
    problem: `this sweep has ${thousands(runs)} runs, more than the limit of ${thousands(maxRuns)}`,
    subject: file,
    details: fixed.size > 0 ? [] : [factors.join(' × ')],
    hint: 'Shorten the lists, or split the sweep into several files.',
  })
}

/** Returns the mistakes of an override of a field that the sweep file sets for each run. */
function overrideMistakes(
  { path: keys, flag }: Override,
  { variants, fixed, grid, search }: SweepFile,
): readonly string[] {
  if (keys[0] === 'seed') return [`${flag}: the sweep file sets the seeds`]
  const path = keys.join('.')
  const inGrid = [...grid.keys()].find((axis) => isWithin(path, axis))
  if (inGrid !== undefined) return [`${flag}: the grid of the sweep file sets ${inGrid}`]
  const searched = [...(search?.spaces.values() ?? [])].flat().find((axis) => isWithin(path, axis.path))
  if (searched !== undefined) return [`${flag}: the search of the sweep file sets ${searched.path}`]
  const isFixed = [...variants.keys()].every((variant) => overlaps(path, fixed.get(variant)))
  return isFixed ? [`${flag}: is fixed in every variant of the sweep file`] : []
}

/** Reads the configs of the field `variants`. */
async function readVariants(
  sweep: SweepFile,
  mistakes: Set<string>,
): Promise<ReadonlyMap<string, ConfigFile>> {
  const files = new Map<string, ConfigFile>()
  for (const [variant, path] of sweep.variants) {
    try {
      files.set(variant, await readConfigFile(path))
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      mistakes.add(`variants.${variant}: ${error.message}`)
    }
  }
  return files
}

/** Returns the arms of a config: every combination of the grid's values, in every trial. */
function armsOf(variant: string, grid: SweepFile['grid'], trials: Trials | null): readonly Arm[] {
  return combinations(grid).flatMap((inGrid) => {
    if (trials === null) return [{ name: armName(variant, inGrid, null), settings: inGrid }]
    return trials.trials.map(({ number, settings }) => ({
      name: armName(variant, inGrid, number),
      settings: [...inGrid, ...settings],
    }))
  })
}

/** Returns every choice of one value per axis, the last axis changing fastest; one empty choice without axes. */
function combinations(grid: SweepFile['grid']): readonly (readonly SweepSetting[])[] {
  return [...grid].reduce<readonly (readonly SweepSetting[])[]>(
    (before, [path, values]) =>
      before.flatMap((settings) =>
        values.map((value) => [...settings, { path, value, flag: `grid ${path}` }]),
      ),
    [[]],
  )
}

interface ResolvedArm {
  readonly arm: Arm
  /** Without the run's seed. */
  readonly config: Config
}

/**
 * Returns the arms of a variant that have no mistakes. Those of the others are added to `mistakes`, each once, with the
 * names of its arms unless all have it.
 */
function resolveArms(
  variant: string,
  file: ConfigFile,
  arms: readonly Arm[],
  overrides: readonly Override[],
  mistakes: Set<string>,
): readonly ResolvedArm[] {
  const namesOf = new Map<string, string[]>()
  const resolved = arms.flatMap((arm) => {
    const resolution = resolveSettings(file, overrides, arm.settings)
    if (resolution.kind === 'config') return [{ arm, config: resolution.config }]
    for (const line of resolution.lines) {
      const names = namesOf.get(line)
      if (names === undefined) namesOf.set(line, [arm.name])
      else names.push(arm.name)
    }
    return []
  })
  for (const [line, names] of namesOf) {
    const subject = names.length === arms.length ? `variants.${variant}` : listOf(names)
    mistakes.add(`${subject} (${file.file}): ${line}`)
  }
  return resolved
}

/** The notes name the variant, so that its arms share them. */
function configNotes({ name }: Arm, config: Config): readonly string[] {
  const [variant] = name.split(',')
  return configWarnings(config).map((warning) => `variants.${variant}: ${warning}`)
}

/** Notes which arms have an eigen loss without effect: the same network as without it. */
function effectNotes(arms: readonly ResolvedArm[]): readonly string[] {
  const names = new Map<string, string[]>()
  for (const { arm, config } of arms) {
    for (const warning of effectWarnings(config)) {
      const others = names.get(warning)
      if (others === undefined) names.set(warning, [arm.name])
      else others.push(arm.name)
    }
  }
  return [...names].map(([warning, of]) => `${listOf(of)}: ${warning}`)
}

/** Notes that what is set for all configs adds an eigen loss to one without: a baseline would no longer be one. */
function addedLossNotes(
  variant: string,
  { document }: ConfigFile,
  sweep: SweepFile,
  overrides: readonly Override[],
  arms: readonly { readonly arm: Arm; readonly config: Config }[],
): readonly string[] {
  if ((valueAt(document.value, ['loss', 'eigen']) ?? null) !== null) return []
  const isTreated = arms.some(
    ({ arm, config }) => arm.name.split(',')[0] === variant && config.loss.eigen !== null,
  )
  if (!isTreated) return []
  // Only these paths can add one: for any other field, the config must have one already.
  const setsKind = (path: string) => overlaps(path, ['loss.eigen.kind'])
  const gridPaths = [...gridOf(sweep, variant).keys()].filter(setsKind)
  const searchPaths = (sweep.search?.spaces.get(variant) ?? []).map(({ path }) => path).filter(setsKind)
  const sources = [
    ...overrides.filter(({ path }) => setsKind(path.join('.'))).map(({ flag }) => flag),
    ...gridPaths.map((path) => `the grid's ${path}`),
    ...searchPaths.map((path) => `the search's ${path}`),
  ]
  return sources
    .slice(0, 1)
    .map((source) => `${source} adds an eigen loss to variants.${variant}, whose config has none`)
}

function repeatedTrialNotes(
  variant: string,
  trials: Trials | null,
  { search }: SweepFile,
): readonly string[] {
  if (trials === null || trials.repeated === 0) return []
  const which = `${trials.repeated} of the ${search!.trials} trials of variants.${variant}`
  return [`${which} have the values of an earlier trial and are left out`]
}

// The limit of common file systems.
const maxNameBytes = 255

/** Returns a line for each arm whose folder another arm has, or whose name is too long for a folder. */
function sharedFolders(arms: readonly Arm[]): readonly string[] {
  const lines: string[] = []
  const seen = new Map<string, Arm>()
  for (const arm of arms) {
    // Some file systems ignore case.
    const key = arm.name.toLowerCase()
    const other = seen.get(key)
    if (other !== undefined) lines.push(describeSharing(arm, other))
    seen.set(key, arm)
    const { byteLength } = Buffer.from(arm.name)
    if (byteLength > maxNameBytes)
      lines.push(`the folder name ${arm.name} has ${byteLength} bytes, over ${maxNameBytes}`)
  }
  return lines
}

function describeSharing(arm: Arm, other: Arm): string {
  if (arm.name !== other.name)
    return `${arm.name} and ${other.name} would share a folder on file systems that ignore case`
  const differing = arm.settings.filter(
    ({ value }, axis) => !isDeepStrictEqual(value, other.settings[axis]?.value),
  )
  const shared = `two runs would share the folder ${arm.name}`
  if (differing.length === 0) return `${shared}: duplicate value in the grid`
  const paths = differing.map(({ path }) => path).join(', ')
  const haveSameNames = arm.settings.every(
    ({ value }, axis) => namedText(value) === namedText(other.settings[axis]?.value),
  )
  return haveSameNames
    ? `${shared}: the values of ${paths} are different eigen losses with the same name; give each its own`
    : `${shared}: the values of ${paths} differ only in characters that folder names leave out`
}

function baselineMistakes(
  baseline: string | null,
  arms: readonly { readonly arm: Arm }[],
): readonly string[] {
  const names = arms.map(({ arm }) => arm.name)
  if (baseline === null || baselineArm(baseline, names) !== undefined) return []
  const known = [...new Set(names.flatMap((name) => [name.split(',')[0]!, name]))]
  const nearest = closest(baseline, known)
  const advice = distance(baseline, nearest) <= 3 ? `did you mean "${nearest}"?` : `known: ${listOf(known)}`
  return [`baseline: no arm is called "${baseline}"; ${advice}`]
}

// More names would hide the mistake.
const mostListed = 10

function listOf(names: readonly string[]): string {
  const more = names.length - mostListed
  return [...names.slice(0, mostListed), ...(more > 0 ? [`… and ${more} more`] : [])].join(', ')
}

function repeatedSeeds(seeds: readonly number[]): readonly string[] {
  const seen = new Set<number>()
  const repeated = seeds.filter((seed) => seen.size === seen.add(seed).size)
  return [...new Set(repeated)].map((seed) => `seeds: duplicate seed ${seed}; its runs would share a folder`)
}
