import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type ConfigFile, readConfigFile, resolveConfig } from '../config/load.js'
import type { Override } from '../config/override.js'
import type { Config } from '../config/schema.js'
import type { SweepFile } from '../config/sweep.js'
import { EigenaeError, usageError } from '../errors.js'
import { thousands } from '../text/numbers.js'
import { groupName, longestName } from './names.js'

/** One point of the grid's axis. */
export interface SweepSetting {
  readonly path: string
  readonly value: unknown
}

/** The runs of one variant with one combination of the grid's values: they differ in the seed alone. */
export interface PlannedGroup {
  readonly name: string
  readonly variant: string
  readonly settings: readonly SweepSetting[]
}

export interface PlannedRun {
  /** `<group>/seed-<n>`: the folder under the sweep's. */
  readonly name: string
  readonly group: PlannedGroup
  readonly config: Config
}

export interface SweepPlan {
  readonly sweep: SweepFile
  readonly groups: readonly PlannedGroup[]
  /** Seed by seed, so that a sweep stopped half-way has something of every group. */
  readonly runs: readonly PlannedRun[]
  /** What may not be meant. */
  readonly notes: readonly string[]
}

/**
 * Expands a sweep: variants × grid × seeds, each with its whole config.
 * @throws one usage error with the mistakes of all runs, each once.
 */
export async function planSweep(sweep: SweepFile, overrides: readonly Override[]): Promise<SweepPlan> {
  refuseTooManyRuns(sweep)
  const lines = new Set(overrides.flatMap((override) => overruled(override, sweep)))
  const files = await readVariants(sweep, lines)
  const resolved = [...files].flatMap(([variant, file]) =>
    combinations(sweep.grid).flatMap((settings) => {
      const config = configOf(variant, file, settings, overrides, lines)
      return config === null
        ? []
        : [{ group: { name: groupName(variant, settings), variant, settings }, config }]
    }),
  )
  for (const line of sharedFolders(
    resolved.map(({ group }) => group),
    sweep.seeds,
  ))
    lines.add(line)
  if (lines.size > 0) {
    throw usageError({ problem: 'this sweep cannot be run', subject: sweep.file, details: [...lines] })
  }
  const runs = sweep.seeds.flatMap((seed) =>
    resolved.map(({ group, config }) => ({
      name: join(group.name, `seed-${seed}`),
      group,
      config: { ...config, seed },
    })),
  )
  const notes = [...files].flatMap(([variant, file]) => givenLoss(variant, file, sweep, overrides))
  return { sweep, groups: resolved.map(({ group }) => group), runs, notes }
}

// A plan keeps every run's config in memory, and inspects every run's folder.
const mostRuns = 100_000

/** Counted before anything is expanded. */
function refuseTooManyRuns({ file, variants, grid, seeds }: SweepFile): void {
  const combinations = [...grid.values()].reduce((product, values) => product * values.length, 1)
  const runs = variants.size * combinations * seeds.length
  if (runs <= mostRuns) return
  const factors = [
    counted(variants.size, 'variant'),
    ...[...grid].map(([path, values]) => `${counted(values.length, 'value')} of ${path}`),
    counted(seeds.length, 'seed'),
  ]
  throw usageError({
    problem: `this sweep has ${thousands(runs)} runs, and at most ${thousands(mostRuns)} are planned at once`,
    subject: file,
    details: [factors.join(' × ')],
    hint: 'Shorten the lists, or cut the sweep into several files.',
  })
}

function counted(count: number, noun: string): string {
  return `${thousands(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** An axis of an eigen loss makes one where a variant has none: a baseline would be none any more. */
function givenLoss(
  variant: string,
  file: ConfigFile,
  { grid }: SweepFile,
  overrides: readonly Override[],
): readonly string[] {
  const axis = [...grid.keys()].find((path) => path.startsWith('loss.eigen.'))
  if (axis === undefined) return []
  const alone = resolveConfig(file, overrides)
  if (alone.kind !== 'config' || alone.config.loss.eigen !== null) return []
  return [`the grid's ${axis} gives the variant ${variant} an eigen loss, which its config has not`]
}

/** What the sweep file sets for each run alone would be taken back. */
function overruled({ path, flag }: Override, { grid }: SweepFile): readonly string[] {
  if (path[0] === 'seed') return [`${flag}: the runs have the seeds of the sweep file`]
  const axis = [...grid.keys()].find((axis) => `${path.join('.')}.`.startsWith(`${axis}.`))
  return axis === undefined ? [] : [`${flag}: the grid of the sweep file has values for ${axis}`]
}

async function readVariants(sweep: SweepFile, lines: Set<string>): Promise<ReadonlyMap<string, ConfigFile>> {
  const files = new Map<string, ConfigFile>()
  for (const [variant, path] of sweep.variants) {
    try {
      files.set(variant, await readConfigFile(path))
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      lines.add(`variant ${variant}: ${error.message}`)
    }
  }
  return files
}

/** Every way to take one value of each axis, the last axis turning fastest; one empty way without axes. */
function combinations(grid: SweepFile['grid']): readonly (readonly SweepSetting[])[] {
  return [...grid].reduce<readonly (readonly SweepSetting[])[]>(
    (before, [path, values]) =>
      before.flatMap((settings) => values.map((value) => [...settings, { path, value }])),
    [[]],
  )
}

/** Null where it has mistakes, which are added to `lines`. */
function configOf(
  variant: string,
  file: ConfigFile,
  settings: readonly SweepSetting[],
  overrides: readonly Override[],
  lines: Set<string>,
): Config | null {
  const fromGrid = settings.map(({ path, value }) => ({ path: path.split('.'), value, flag: `grid ${path}` }))
  const resolution = resolveConfig(file, [...overrides, ...fromGrid])
  if (resolution.kind === 'config') return resolution.config
  for (const line of resolution.lines) lines.add(`variant ${variant} (${file.file}): ${line}`)
  return null
}

/** Two runs in one folder would be one run. Names that differ in capitals alone share a folder on some machines. */
function sharedFolders(groups: readonly PlannedGroup[], seeds: readonly number[]): readonly string[] {
  const lines: string[] = []
  const seen = new Map<string, PlannedGroup>()
  for (const group of groups) {
    const other = seen.get(group.name.toLowerCase())
    if (other !== undefined) lines.push(sharing(group, other))
    seen.set(group.name.toLowerCase(), group)
    const { byteLength } = Buffer.from(group.name)
    if (byteLength > longestName)
      lines.push(`the folder ${group.name} has a name of ${byteLength} bytes, over ${longestName}`)
  }
  const met = new Set<number>()
  const repeated = seeds.filter((seed) => met.size === met.add(seed).size)
  return [
    ...lines,
    ...new Set(repeated.map((seed) => `seeds: ${seed} stands twice, its runs would share a folder`)),
  ]
}

function sharing(group: PlannedGroup, other: PlannedGroup): string {
  if (group.name !== other.name)
    return `${group.name} and ${other.name} would share a folder where capitals do not count`
  const differing = group.settings.filter(
    ({ value }, axis) => !isDeepStrictEqual(value, other.settings[axis]?.value),
  )
  if (differing.length === 0)
    return `two runs would share the folder ${group.name}: a value stands twice in the grid`
  return `two runs would share the folder ${group.name}: ${differing.map(({ path }) => path).join(', ')} differs in signs that names leave out`
}
