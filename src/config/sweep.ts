import { dirname, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { usageError } from '../errors.js'
import { readJson } from './json.js'
import { describeIssue, type Mistake } from './mistakes.js'
import { overlaps } from './paths.js'
import { configSchema } from './schema.js'
import {
  axisNameProblem,
  fixedMistakes,
  keysAt,
  ownSpaceSchema,
  type Search,
  searchMistakes,
  searchOf,
  searchSchema,
} from './search.js'

const { name, seed } = configSchema.shape

const seedSchema = seed.unwrap()

// As many as a sweep may have runs (src/runs/sweep-plan.ts); checked before they are listed.
const maximumSeeds = 100_000

/** Seeds as text: numbers and ranges, both ends included. */
const seedsText = z.string().transform((text, context) => {
  const seeds = parseSeeds(text)
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

/** Returns the seeds of "0-9" or "0-4,7", both ends included, in the order of the text; or the problem. */
export function parseSeeds(text: string): readonly number[] | string {
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
    ...(variants ?? [])
      .filter((variant) => !name.safeParse(variant).success)
      .map((variant) => ({
        path: ['variants', variant],
        problem: 'may contain letters, digits, dots, dashes and underscores, and must not start with a dot',
      })),
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
