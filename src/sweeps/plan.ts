import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { armName, baselineArm, namedText } from '../config/arm-name.js'
import { configWarnings, effectWarnings } from '../config/check.js'
import { valueAt } from '../config/json.js'
import { type ConfigFile, type Override, readConfigFile } from '../config/load.js'
import { isWithin, overlaps } from '../config/paths.js'
import type { Config } from '../config/schema.js'
import { gridOf, type Search, type SweepFile } from '../config/sweep.js'
import { readImageShape } from '../data/load.js'
import { knownError, usageError } from '../errors.js'
import { groupBy } from '../group-by.js'
import type { ImageShape } from '../model/architecture.js'
import { meaningOf, metrics } from '../runs/metrics.js'
import { maxRuns } from '../runs/sweep-plan.js'
import { count, shortened, thousands } from '../text/format.js'
import { suggestion } from '../text/names.js'
import { widthMistake } from '../training/training-data.js'
import {
  namesByLine,
  resolveSettings,
  type SweepSetting,
  spaceMistakes,
  type Trial,
  trialsOf,
} from './trials.js'

/**
 * A config of the sweep file with one combination of the grid's values, in one trial of the search. The runs of an arm
 * differ only in the seed.
 */
export interface Arm {
  /** `eigen,train.batchSize=64` or `eigen,trial-007`, which is also the arm's folder in the sweep's folder. */
  readonly name: string
  readonly variant: string
  /** The name without the trial: trials are compared with those of the same config and the same values of the grid. */
  readonly family: string
  /** Null without a search. */
  readonly trial: number | null
  readonly settings: readonly SweepSetting[]
  /** Without the run's seed. */
  readonly config: Config
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
  const mistakes = overrides.flatMap((override) => overrideMistakes(override, sweep))
  const files = await readVariants(sweep, mistakes)
  const halving = sweep.search?.halving ?? null
  const epochs = halving && {
    path: ['train', 'epochs'],
    value: halving.epochs.at(-1),
    flag: 'search.halving',
  }
  const overridesOf = (variant: string) => [
    ...overrides.filter(({ path }) => !overlaps(path.join('.'), sweep.fixed.get(variant))),
    ...(epochs === null ? [] : [epochs]),
  ]
  if (sweep.search !== null) mistakes.push(...spaceMistakes(sweep.search, files, overridesOf))
  // Every trial would repeat these mistakes.
  const search = mistakes.length > 0 ? null : sweep.search
  const trials = new Map([...files.keys()].map((variant) => [variant, trialsOf(search, variant)]))
  const arms = [...files].flatMap(([variant, file]) => {
    const planned = armsOf(variant, gridOf(sweep, variant), trials.get(variant)?.trials ?? null)
    return resolveArms(planned, file, overridesOf(variant), mistakes)
  })
  if (sweep.search !== null) mistakes.push(...metricMistakes(sweep.search, arms))
  const found = [...mistakes, ...sharedFolders(arms), ...repeatedSeeds(sweep.seeds)]
  // The names of the arms are incomplete if there are other mistakes.
  const ofArms = async () => [...baselineMistakes(sweep.baseline, arms), ...(await widthMistakes(arms))]
  const details = [...new Set(found.length > 0 ? found : await ofArms())]
  if (details.length > 0)
    throw usageError({ problem: 'this sweep cannot be run', subject: sweep.file, details })
  const runs = sweep.seeds.flatMap((seed) =>
    arms.map((arm) => ({
      name: join(arm.name, `seed-${seed}`),
      arm,
      config: { ...arm.config, seed },
    })),
  )
  const notes = [
    ...[...files].flatMap(([variant, file]) =>
      addedLossNotes(variant, file, sweep, overridesOf(variant), arms),
    ),
    ...[...trials]
      .filter(([, each]) => each !== null && each.repeated > 0)
      .map(
        ([variant, each]) =>
          `${each!.repeated} of the ${search!.trials} trials of variants.${variant} have the values of an earlier trial and are left out`,
      ),
    // They name the variant, so that its arms share them.
    ...new Set(
      arms.flatMap(({ variant, config }) =>
        configWarnings(config).map((warning) => `variants.${variant}: ${warning}`),
      ),
    ),
    ...effectNotes(arms),
    ...equalArmNotes(arms),
  ]
  return { sweep, arms, runs, notes }
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
  if (search?.halving && isWithin(path, 'train.epochs'))
    return [`${flag}: the halving of the sweep file sets train.epochs`]
  const isFixed = [...variants.keys()].every((variant) => overlaps(path, fixed.get(variant)))
  return isFixed ? [`${flag}: is fixed in every variant of the sweep file`] : []
}

/** Reads the configs of the field `variants`. */
async function readVariants(sweep: SweepFile, mistakes: string[]): Promise<ReadonlyMap<string, ConfigFile>> {
  const files = new Map<string, ConfigFile>()
  for (const [variant, path] of sweep.variants) {
    try {
      files.set(variant, await readConfigFile(path))
    } catch (error) {
      mistakes.push(`variants.${variant}: ${knownError(error).message}`)
    }
  }
  return files
}

type PlannedArm = Omit<Arm, 'config'>

/**
 * Returns the arms of a config: every combination of one value per axis of the grid, the last axis changing fastest, in
 * every trial.
 */
function armsOf(
  variant: string,
  grid: SweepFile['grid'],
  trials: readonly Trial[] | null,
): readonly PlannedArm[] {
  const combinations = [...grid].reduce<readonly (readonly SweepSetting[])[]>(
    (before, [path, values]) =>
      before.flatMap((settings) =>
        values.map((value) => [...settings, { path, value, flag: `grid ${path}` }]),
      ),
    [[]],
  )
  return combinations.flatMap((inGrid) =>
    (trials ?? [{ number: null, settings: [] }]).map(({ number, settings }) => ({
      name: armName(variant, inGrid, number),
      variant,
      family: armName(variant, inGrid, null),
      trial: number,
      settings: [...inGrid, ...settings],
    })),
  )
}

/**
 * Returns the arms of a variant that have no mistakes. Those of the others are added to `mistakes`, each once, with the
 * names of its arms unless all have it.
 */
function resolveArms(
  arms: readonly PlannedArm[],
  file: ConfigFile,
  overrides: readonly Override[],
  mistakes: string[],
): readonly Arm[] {
  const lines: { line: string; name: string }[] = []
  const resolved = arms.flatMap((arm) => {
    const resolution = resolveSettings(file, overrides, arm.settings)
    if (resolution.kind === 'config') return [{ ...arm, config: resolution.config }]
    lines.push(...resolution.lines.map((line) => ({ line, name: arm.name })))
    return []
  })
  for (const [line, names] of namesByLine(lines)) {
    const subject = names.length === arms.length ? `variants.${arms[0]!.variant}` : listOf(names)
    mistakes.push(`${subject} (${file.file}): ${line}`)
  }
  return resolved
}

/** Notes which arms have an eigen loss without effect: the same network as without it. */
function effectNotes(arms: readonly Arm[]): readonly string[] {
  const lines = arms.flatMap(({ name, config }) => effectWarnings(config).map((line) => ({ line, name })))
  return [...namesByLine(lines)].map(([warning, names]) => `${listOf(names)}: ${warning}`)
}

/** Notes that what is set for all configs adds an eigen loss to one without: a baseline would no longer be one. */
function addedLossNotes(
  variant: string,
  { document }: ConfigFile,
  sweep: SweepFile,
  overrides: readonly Override[],
  arms: readonly Arm[],
): readonly string[] {
  if ((valueAt(document.value, ['loss', 'eigen']) ?? null) !== null) return []
  if (!arms.some((arm) => arm.variant === variant && arm.config.loss.eigen !== null)) return []
  // Only these paths can add one: for any other field, the config must have one already.
  const setsKind = (path: string) => overlaps(path, ['loss.eigen.kind'])
  const gridPaths = [...gridOf(sweep, variant).keys()].filter(setsKind)
  const searchPaths = (sweep.search?.spaces.get(variant) ?? []).map(({ path }) => path).filter(setsKind)
  const sources = [
    ...overrides.filter(({ path }) => setsKind(path.join('.'))).map(({ flag }) => flag),
    ...gridPaths.map((path) => `the grid's ${path}`),
    ...searchPaths.map((path) => `the search's ${path}`),
  ]
  const [source] = sources
  return source === undefined
    ? []
    : [`${source} adds an eigen loss to variants.${variant}, whose config has none`]
}

/** Returns why the trials of a halving cannot be compared by its metric. */
function metricMistakes(
  { halving, metricLocation: location }: Search,
  arms: readonly Arm[],
): readonly string[] {
  if (halving === null) return []
  const { metric: name, chooseOnTest } = halving
  const metric = metrics.find((each) => each === name)
  const known = metrics.filter(
    (each) => meaningOf(each).of !== 'accuracies' && meaningOf(each).better !== null,
  )
  if (metric === undefined)
    return [
      `${location}: unknown metric "${name}"${suggestion(name, known) || `; known: ${known.join(', ')}`}`,
    ]
  const { of, better } = meaningOf(metric)
  if (of === 'accuracies') return [`${location}: ${metric} is measured only at the end of a run`]
  if (better === null) return [`${location}: neither low nor high values of ${metric} are better`]
  const trials = arms.filter(({ trial }) => trial !== null)
  const variantsOf = (where: (config: Config) => boolean) => [
    ...new Set(trials.filter(({ config }) => where(config)).map(({ variant }) => `variants.${variant}`)),
  ]
  const lacking = of === 'validation' ? variantsOf(({ data }) => data.validation === 0) : []
  if (lacking.length > 0)
    return [
      `${location}: no images are held out in ${listOf(lacking)}, so the runs have no ${metric}; set data.validation`,
    ]
  const isOfTest = metric.startsWith('test_')
  // The others measure the images of the spectrum.
  const isOfSpectrum = !isOfTest && ['evaluation', 'layers', 'run'].includes(of)
  const tested =
    isOfTest || (isOfSpectrum && variantsOf(({ spectrum }) => spectrum.split === 'test').length > 0)
  return tested && !chooseOnTest
    ? [
        `${location}: ${metric} is measured on test images, which should not choose the trials; hold out images with data.validation and name validation_denoise_mse, or add "chooseOnTest": true`,
      ]
    : []
}

// More lines would hide the other notes.
const mostEqual = 3

/** Returns notes on arms of a variant that train the same runs, as in a grid over both model.widths and model.latent. */
function equalArmNotes(arms: readonly Arm[]): readonly string[] {
  const alike = groupBy(arms, ({ variant, config }) => JSON.stringify([variant, config]))
  const lines = [...alike.values()]
    .filter(({ length }) => length > 1)
    .map(
      (equal) => `${listOf(equal.map(({ name }) => name))} have the same config, so their runs are the same`,
    )
  return shortened(lines, mostEqual, 'more such arms')
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

/**
 * Compares the first widths with the headers of the data. Data that cannot be read here is left to the runs, which may train
 * on another machine.
 */
async function widthMistakes(arms: readonly Arm[]): Promise<readonly string[]> {
  const shapes = new Map<string, ImageShape | null>()
  const unreadable = (error: unknown) => knownError(error) && null
  const lines: { line: string; name: string }[] = []
  for (const { name, config } of arms) {
    const { source } = config.data
    if (!shapes.has(source)) shapes.set(source, await readImageShape(source).catch(unreadable))
    const shape = shapes.get(source) ?? null
    const mistake = shape && widthMistake(config, source, shape)
    if (mistake !== null) lines.push({ line: `${mistake.subject}: ${mistake.problem}`, name })
  }
  return [...namesByLine(lines)].map(([line, names]) => `${listOf(names)}: ${line}`)
}

function baselineMistakes(baseline: string | null, arms: readonly Arm[]): readonly string[] {
  const names = arms.map(({ name }) => name)
  if (baseline === null || baselineArm(baseline, names) !== undefined) return []
  const known = [...new Set(arms.flatMap(({ variant, name }) => [variant, name]))]
  const advice = suggestion(baseline, known) || `; known: ${listOf(known)}`
  return [`baseline: no arm is called "${baseline}"${advice}`]
}

/** More names would hide the mistake. */
function listOf(names: readonly string[]): string {
  return shortened(names, 10).join(', ')
}

function repeatedSeeds(seeds: readonly number[]): readonly string[] {
  const seen = new Set<number>()
  const repeated = seeds.filter((seed) => seen.size === seen.add(seed).size)
  return [...new Set(repeated)].map((seed) => `seeds: duplicate seed ${seed}; its runs would share a folder`)
}
