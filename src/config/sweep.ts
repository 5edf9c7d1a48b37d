import { dirname, isAbsolute, join } from 'node:path'
import { closest, distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { usageError } from '../errors.js'
import { type DeepReadonly, type JsonPath, readJson, valueAt } from './json.js'
import { describeIssue, type Mistake } from './mistakes.js'
import { isConfigPath, overlaps } from './paths.js'
import { configSchema } from './schema.js'

/** A space has at most this many axes. */
export const maximumAxes = 50

// The arms of a search lie in one folder, and each has its config in memory while the sweep is planned.
const maximumTrials = 100_000

const axisKinds = ['uniform', 'log', 'integer', 'choice'] as const

function bounds(bound: z.ZodNumber) {
  return z
    .tuple([bound, bound])
    .refine(([low, high]) => low < high, { error: 'the lower bound must be less than the upper' })
}

/** How the values of one config path are drawn: the JSON form of a sweep file. */
const axisSchema = z.union(
  [
    z
      .strictObject({ uniform: bounds(z.number()) })
      .describe('A number between two bounds, every interval of equal length equally likely.'),
    z
      .strictObject({ log: bounds(z.number().gt(0)) })
      .describe('A number between two bounds over 0, every interval of equal ratio equally likely.'),
    z
      .strictObject({ integer: bounds(z.int()) })
      .describe('A whole number from the lower bound to the upper.'),
    z
      .strictObject({ choice: z.array(z.unknown()).min(1) })
      .describe('One of the listed values, each equally likely.'),
  ],
  { error: ({ input }) => axisProblem(input) },
)

export type Axis = z.output<typeof axisSchema>

const { epochs } = configSchema.shape.train.unwrap().shape

/** The `halving` of a search. */
const halvingSchema = z.strictObject({
  metric: z
    .string()
    .min(1)
    .describe('Metric of each epoch by which the trials are compared: "validation_denoise_mse".'),
  epochs: z
    .array(epochs.unwrap())
    .min(2)
    .refine((rungs) => rungs.every((rung, index) => index === 0 || rung > rungs[index - 1]!), {
      error: 'must ascend, like [3, 10, 30]',
    })
    .describe(
      "The rungs: after each number of epochs but the last, only the best trials continue. Replaces the configs' train.epochs.",
    ),
  keep: z
    .number()
    .gt(0)
    .lt(1)
    .describe('Share of the trials at a rung that trains to the next one; at least one trial.'),
  chooseOnTest: z
    .boolean()
    .default(false)
    .describe(
      'Allow a metric that is measured on test images. Their errors are too low for the trials that are kept.',
    ),
})

/** The `search` of a sweep file. */
const searchSchema = z.strictObject({
  trials: z.int().min(1).max(maximumTrials).describe('Number of trials of each config.'),
  seed: configSchema.shape.seed.describe('Seed of the trials. The same seed gives the same trials.'),
  space: z
    .record(z.string(), axisSchema)
    .default({})
    .describe('Axes of all configs by config path: {"optimizer.learningRate": {"log": [0.001, 0.03]}}.'),
  halving: halvingSchema
    .optional()
    .describe('Successive halving: trains all trials for a few epochs, and only the best ones longer.'),
})

/** The `space` of one variant. */
const ownSpaceSchema = z
  .record(z.string(), axisSchema.nullable())
  .default({})
  .describe(
    "This config's own axes, added to the search's. An axis of the same path is replaced; null removes it.",
  )

/** Returns the reason why a value is not an axis, for everything but the bounds themselves. */
function axisProblem(input: unknown): string {
  const example = '{"log": [low, high]}'
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return `must be an axis like ${example}, of one of the kinds ${axisKinds.join(', ')}`
  const [kind, ...others] = Object.keys(input)
  if (kind === undefined || others.length > 0)
    return `must have exactly one of ${axisKinds.join(', ')}, like ${example}`
  if (kind === 'choice') return 'choice must be a list of at least one value'
  if ((axisKinds as readonly string[]).includes(kind))
    return `${kind} must be [low, high], two ${kind === 'integer' ? 'whole ' : ''}numbers`
  const nearest = closest(kind, axisKinds)
  const suggestion = distance(kind.toLowerCase(), nearest) <= 3 ? `; did you mean "${nearest}"?` : ''
  return `unknown kind of axis "${kind}"${suggestion || `; known: ${axisKinds.join(', ')}`}`
}

/** One axis of a variant's space. */
export interface SearchAxis {
  readonly path: string
  readonly axis: Axis
  /**
   * Its coordinate in the sequence of points. An axis that variants share has the same in all of them, so that a trial
   * has the same value there in each.
   */
  readonly coordinate: number
  /** Line, column and path in the sweep file: "7:31 search.space.optimizer.learningRate". */
  readonly location: string
}

export type Halving = DeepReadonly<z.output<typeof halvingSchema>>

export interface Search {
  readonly trials: number
  readonly seed: number
  /** Null to train every trial to its end. */
  readonly halving: Halving | null
  /** Line, column and path of its metric in the sweep file. */
  readonly metricLocation: string
  /** The axes of each variant by its name; a variant without axes is not searched. */
  readonly spaces: ReadonlyMap<string, readonly SearchAxis[]>
}

/** A variant with its own axes, and the config paths that no axis sets. */
interface SearchedVariant {
  readonly variant: string
  readonly space: z.output<typeof ownSpaceSchema>
  readonly fixed: readonly string[]
}

/** Returns the search of a sweep file. A variant's own axes replace shared ones of the same path, and null removes one. */
function searchOf(
  { trials, seed, space: shared, halving }: z.output<typeof searchSchema>,
  variants: readonly SearchedVariant[],
  locationOf: (path: JsonPath) => string,
): Search {
  const spaces = variants.map(({ variant, space: own, fixed }) => {
    const axes = Object.entries({ ...shared, ...own }).flatMap(([path, axis], coordinate) => {
      if (axis === null || overlaps(path, fixed)) return []
      const space = Object.hasOwn(own, path) ? ['variants', variant, 'space'] : ['search', 'space']
      const place = [...space, path]
      return [{ path, axis, coordinate, location: `${locationOf(place)} ${place.join('.')}` }]
    })
    return [variant, axes] as const
  })
  const metric = ['search', 'halving', 'metric']
  const metricLocation = `${locationOf(metric)} ${metric.join('.')}`
  return { trials, seed, halving: halving ?? null, metricLocation, spaces: new Map(spaces) }
}

/** Returns the keys of the object at a path of a sweep file, null if there is no object. */
function keysAt(file: unknown, path: JsonPath): readonly string[] | null {
  const value = valueAt(file, path)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : null
}

/** Checks the config paths that a sweep file searches, beside the form of their axes. */
function searchMistakes(file: unknown): readonly Mistake[] {
  const search = keysAt(file, ['search'])
  const grid = keysAt(file, ['grid']) ?? []
  const shared = keysAt(file, ['search', 'space']) ?? []
  const owns = (keysAt(file, ['variants']) ?? []).flatMap((variant) => {
    const place = ['variants', variant, 'space']
    const own = keysAt(file, place)
    return own === null ? [] : [{ place, own }]
  })
  if (search === null)
    return owns.map(({ place }) => ({
      path: place,
      problem: 'needs "search" in the sweep file, with the number of trials',
    }))
  const mistakes = [
    ...mistakesInSpace(['search', 'space'], shared, shared, grid),
    ...owns.flatMap(({ place, own }) => [
      ...mistakesInSpace(
        place,
        own,
        [...new Set([...shared, ...own])].filter((axis) => valueAt(file, [...place, axis]) !== null),
        grid,
      ),
      ...own
        .filter((axis) => valueAt(file, [...place, axis]) === null && !shared.includes(axis))
        .map((axis) => ({
          path: [...place, axis],
          problem: "is null, but the search's space has no such axis",
        })),
    ]),
  ]
  if (shared.length > 0 || owns.some(({ own }) => own.length > 0)) return mistakes
  return [{ path: ['search'], problem: 'needs "space" with at least one axis, here or in a variant' }]
}

function mistakesInSpace(
  place: JsonPath,
  axes: readonly string[],
  all: readonly string[],
  grid: readonly string[],
): readonly Mistake[] {
  const inNames = axes.flatMap((axis) => {
    const problem = axisNameProblem(axis, all, 'be searched') ?? overlapProblem(axis, grid)
    return problem === null ? [] : [{ path: [...place, axis], problem }]
  })
  if (all.length <= maximumAxes) return inNames
  return [...inNames, { path: place, problem: `must have at most ${maximumAxes} axes (got ${all.length})` }]
}

/** Config paths that a sweep sets for each run. */
const ownPaths: Readonly<Record<string, string>> = {
  seed: 'the seeds are listed in "seeds"',
  name: 'the runs are named after their variant and what is set for them',
  $schema: 'it is for editors only',
  extends: 'only a config file extends another',
}

/** Checks the config paths that the variants of a sweep file fix. */
function fixedMistakes(file: unknown): readonly Mistake[] {
  const variants = (keysAt(file, ['variants']) ?? []).map((variant) => {
    const place = ['variants', variant]
    const fixed = valueAt(file, [...place, 'fixed'])
    return { place, fixed: Array.isArray(fixed) ? fixed.filter((path) => typeof path === 'string') : [] }
  })
  const ofPaths = variants.flatMap(({ place, fixed }) =>
    fixed.flatMap((path, index) => {
      const problem =
        axisNameProblem(path, [], 'be fixed') ?? (isConfigPath(path) ? null : 'is not a config field')
      return problem === null ? [] : [{ path: [...place, 'fixed', index], problem: `${path}: ${problem}` }]
    }),
  )
  const ofOwnAxes = variants.flatMap(({ place, fixed }) =>
    (keysAt(file, [...place, 'space']) ?? [])
      .filter((axis) => valueAt(file, [...place, 'space', axis]) !== null && overlaps(axis, fixed))
      .map((axis) => ({ path: [...place, 'space', axis], problem: 'is fixed in this variant' })),
  )
  const ofCommonAxes = [['grid'], ['search', 'space']].flatMap((place) =>
    (keysAt(file, place) ?? [])
      .filter((axis) => variants.length > 0 && variants.every(({ fixed }) => overlaps(axis, fixed)))
      .map((axis) => ({ path: [...place, axis], problem: 'is fixed in every variant' })),
  )
  return [...ofPaths, ...ofOwnAxes, ...ofCommonAxes]
}

/** Checks that nothing else sets the field that a halving sets. */
function halvingMistakes(file: unknown): readonly Mistake[] {
  if (keysAt(file, ['search', 'halving']) === null) return []
  const variants = keysAt(file, ['variants']) ?? []
  const axes = [['grid'], ['search', 'space'], ...variants.map((variant) => ['variants', variant, 'space'])]
  const set = axes.flatMap((place) =>
    (keysAt(file, place) ?? []).map((axis) => ({ path: [...place, axis], axis })),
  )
  const fixed = variants.flatMap((variant) => {
    const place = ['variants', variant, 'fixed']
    const paths = valueAt(file, place)
    return Array.isArray(paths)
      ? paths.map((axis, index) => ({ path: [...place, index], axis: String(axis) }))
      : []
  })
  return [...set, ...fixed]
    .filter(({ axis }) => overlaps(axis, ['train.epochs']))
    .map(({ path }) => ({ path, problem: 'search.halving sets train.epochs' }))
}

/** Returns the reason why a sweep cannot vary a config path beside the other axes, null if it can. */
function axisNameProblem(axis: string, axes: readonly string[], act: string): string | null {
  if (axis.split('.').includes('')) return 'is not a config path like train.batchSize'
  if (Object.hasOwn(ownPaths, axis)) return `cannot ${act}: ${ownPaths[axis]}`
  const inside = axes.find((other) => other.startsWith(`${axis}.`))
  return inside === undefined ? null : `holds ${inside}, which is an axis of its own`
}

function overlapProblem(axis: string, grid: readonly string[]): string | null {
  if (grid.includes(axis)) return 'is in the grid too; a config path is either in the grid or searched'
  const inside = grid.find((other) => other.startsWith(`${axis}.`))
  if (inside !== undefined) return `holds ${inside}, which is in the grid`
  const around = grid.find((other) => axis.startsWith(`${other}.`))
  return around === undefined ? null : `is a part of ${around}, which is in the grid`
}

const { name, seed } = configSchema.shape

const seedSchema = seed.unwrap()

// As many as a sweep may have runs (src/runs/sweep-plan.ts); checked before they are listed.
const maximumSeeds = 100_000

/** Seeds as text: numbers and ranges, both ends included. */
const seedsText = z.string().transform((text, context) => {
  const seeds = seedsOrProblem(text)
  if (typeof seeds !== 'string') return seeds
  context.addIssue({ code: 'custom', message: seeds })
  return z.NEVER
})

/** The `seeds` of a sweep file. */
const seedsSchema = z
  .union([z.array(seedSchema).min(1), seedsText], {
    error: 'must be a list of whole numbers, or text like "0-9"',
  })
  .default([0])
  .describe('Seeds of each arm: a list, or text like "0-9" or "0-4,7".')

/**
 * Returns the seeds of "0-9" or "0-4,7", both ends included, in the order of the text.
 * @throws a usage error about `subject` if it has another form, or too many seeds.
 */
export function parseSeeds(text: string, subject: string): readonly number[] {
  const seeds = seedsOrProblem(text)
  if (typeof seeds === 'string') throw usageError({ problem: `${seeds} (got "${text}")`, subject })
  return seeds
}

function seedsOrProblem(text: string): readonly number[] | string {
  const seeds: number[] = []
  for (const part of text.split(',')) {
    const [, low, high = low] = /^ *(\d+)(?: *- *(\d+))? *$/.exec(part) ?? []
    if (low === undefined) return 'must be whole numbers and ranges, like "0-9" or "0-4,7"'
    const [first, last] = [Number(low), Number(high)]
    if (!seedSchema.safeParse(last).success) return `must be at most ${2 ** 32 - 1}`
    if (first > last) return `the range ${part.trim()} has its larger number first`
    if (seeds.length + last - first >= maximumSeeds) return `must be at most ${maximumSeeds} seeds`
    for (let seed = first; seed <= last; seed++) seeds.push(seed)
  }
  return seeds
}

/** Returns ascending seeds as `parseSeeds` reads them: "0-4,7". */
export function formatSeeds(seeds: readonly number[]): string {
  const starts = seeds.filter((seed, index) => index === 0 || seed - seeds[index - 1]! > 1)
  const ends = seeds.filter((seed, index) => index === seeds.length - 1 || seeds[index + 1]! - seed > 1)
  return starts.map((start, index) => (start === ends[index] ? start : `${start}-${ends[index]}`)).join(',')
}

const variantSchema = z.union(
  [
    z.string().min(1),
    z.strictObject({
      config: z.string().min(1).describe('Config file, relative to the sweep file.'),
      space: ownSpaceSchema,
      fixed: z
        .array(z.string())
        .default([])
        .describe(
          'Config paths that the grid, the search and --set do not change in this config: ["loss.eigen"] for one without an eigen loss.',
        ),
    }),
  ],
  { error: 'must be the path of a config file, or {"config": path, "space": {…}, "fixed": […]}' },
)

/**
 * The fields of a sweep file. Its runs are every variant with every combination of the values of the grid, every trial of the
 * search and every seed.
 */
const sweepSchema = z.strictObject({
  $schema: z.string().optional(),
  name: name.describe("The sweep's name: its runs are kept under runs/<name>."),
  variants: z
    .record(z.string(), variantSchema)
    .describe('Config files by the names of their arms; a path is relative to the sweep file.'),
  baseline: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The arm that the others are tested against: the name of a variant, for its first arm, or the whole name of an arm. Without it, the first arm.',
    ),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('Values by config path: {"train.batchSize": [64, 256]}.'),
  search: searchSchema
    .optional()
    .describe('Draws values of config paths. Every config has the same number of trials.'),
  seeds: seedsSchema,
})

/** A parsed sweep file. `variants` holds paths relative to the working directory. */
export interface SweepFile {
  readonly file: string
  readonly name: string
  readonly variants: ReadonlyMap<string, string>
  /** Config paths that the sweep does not set in a variant, by its name. */
  readonly fixed: ReadonlyMap<string, readonly string[]>
  /** A variant or an arm; null for the first arm. */
  readonly baseline: string | null
  readonly grid: ReadonlyMap<string, readonly unknown[]>
  /** Null without a search. */
  readonly search: Search | null
  readonly seeds: readonly number[]
}

/** @throws one usage error that lists every mistake, each with its place in the file. */
export async function readSweepFile(file: string): Promise<SweepFile> {
  const { value, locationOf } = await readJson(file)
  const parsed = sweepSchema.safeParse(value)
  const issues = parsed.success ? [] : parsed.error.issues
  const mistakes = [
    ...issues.flatMap((issue) => describeIssue(issue, value, sweepSchema)),
    ...mistakesInNames(keysAt(value, ['variants']), keysAt(value, ['grid']) ?? []),
    ...searchMistakes(value),
    ...fixedMistakes(value),
    ...halvingMistakes(value),
  ]
  if (!parsed.success || mistakes.length > 0) {
    const details = mistakes.map(
      ({ path, problem }) => `${locationOf(path)} ${path.join('.') || '(the whole file)'}: ${problem}`,
    )
    throw usageError({ problem: 'this sweep cannot be used', subject: file, details })
  }
  const { variants, baseline = null, grid, search, seeds } = parsed.data
  const here = dirname(file)
  const inFile = Object.entries(variants).map(([variant, value]) => {
    const { config, space, fixed } =
      typeof value === 'string' ? { config: value, space: {}, fixed: [] } : value
    return { variant, config: isAbsolute(config) ? config : join(here, config), space, fixed }
  })
  return {
    file,
    name: parsed.data.name,
    variants: new Map(inFile.map(({ variant, config }) => [variant, config])),
    fixed: new Map(inFile.flatMap(({ variant, fixed }) => (fixed.length === 0 ? [] : [[variant, fixed]]))),
    baseline,
    grid: new Map(Object.entries(grid)),
    search: search === undefined ? null : searchOf(search, inFile, locationOf),
    seeds,
  }
}

/** Returns the values of the grid that a variant takes, by their config paths. */
export function gridOf({ grid, fixed }: SweepFile, variant: string): SweepFile['grid'] {
  return new Map([...grid].filter(([path]) => !overlaps(path, fixed.get(variant))))
}

/** Checks keys here because the messages of zod about keys do not help a user. */
function mistakesInNames(variants: readonly string[] | null, axes: readonly string[]): readonly Mistake[] {
  return [
    ...(variants?.length === 0
      ? [{ path: ['variants'], problem: 'must name at least one config file' }]
      : []),
    ...(variants ?? []).flatMap((variant) => {
      const { error } = name.safeParse(variant)
      return error === undefined ? [] : [{ path: ['variants', variant], problem: error.issues[0]!.message }]
    }),
    ...axes.flatMap((axis) => {
      const problem = axisNameProblem(axis, axes, 'be in the grid')
      return problem === null ? [] : [{ path: ['grid', axis], problem }]
    }),
  ]
}

/** The JSON Schema that editors read: configs/sweeps/schema.json. */
export function sweepJsonSchema(): object {
  return z.toJSONSchema(sweepSchema, { io: 'input', target: 'draft-7' })
}
