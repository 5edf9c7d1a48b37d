import { dirname, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { usageError } from '../errors.js'
import { readJson, valueAt } from './json.js'
import { describeIssue, type Mistake } from './mistakes.js'
import { configSchema } from './schema.js'

const { name, seed } = configSchema.shape

/** The fields of a sweep file. Its runs are every variant with every combination of the values of the grid and every seed. */
export const sweepSchema = z.strictObject({
  $schema: z.string().optional(),
  name: name.describe("The sweep's name: its runs are kept under runs/<name>."),
  variants: z
    .record(z.string(), z.string().min(1))
    .describe('Config files by the names of their arms; a path is relative to the sweep file.'),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('Values by config path: {"train.batchSize": [64, 256]}.'),
  seeds: z.array(seed.unwrap()).min(1).default([0]),
})

/** A parsed sweep file. `variants` holds paths relative to the working directory. */
export interface SweepFile {
  readonly file: string
  readonly name: string
  readonly variants: ReadonlyMap<string, string>
  readonly grid: ReadonlyMap<string, readonly unknown[]>
  readonly seeds: readonly number[]
}

/** Config paths that the sweep itself sets. */
const ownPaths: Readonly<Record<string, string>> = {
  seed: 'cannot be in the grid: the seeds are listed in "seeds"',
  name: 'cannot be in the grid: the runs are named by their variant and the grid',
  $schema: 'cannot be in the grid: it is for editors only',
}

/** @throws one usage error that lists every mistake, each with its place in the file. */
export async function readSweepFile(file: string): Promise<SweepFile> {
  const { value, locationOf } = await readJson(file)
  const parsed = sweepSchema.safeParse(value)
  const issues = parsed.success ? [] : parsed.error.issues
  const mistakes = [
    ...issues.flatMap((issue) => describeIssue(issue, value, sweepSchema)),
    ...mistakesInNames(keysAt(value, 'variants'), keysAt(value, 'grid') ?? []),
  ]
  if (!parsed.success || mistakes.length > 0) {
    const details = mistakes.map(
      ({ path, problem }) => `${locationOf(path)} ${path.join('.') || '(the whole file)'}: ${problem}`,
    )
    throw usageError({ problem: 'this sweep cannot be used', subject: file, details })
  }
  const { variants, grid } = parsed.data
  const here = dirname(file)
  return {
    file,
    name: parsed.data.name,
    variants: new Map(
      Object.entries(variants).map(([variant, path]) => [
        variant,
        isAbsolute(path) ? path : join(here, path),
      ]),
    ),
    grid: new Map(Object.entries(grid)),
    seeds: parsed.data.seeds,
  }
}

/** Returns null if the field is not an object. */
function keysAt(file: unknown, field: string): readonly string[] | null {
  const value = valueAt(file, [field])
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : null
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
        problem: 'a name is letters, digits, dots, dashes and underscores, no dot first',
      })),
    ...axes.flatMap((axis) => {
      const problem = axisMistake(axis, axes)
      return problem === null ? [] : [{ path: ['grid', axis], problem }]
    }),
  ]
}

function axisMistake(axis: string, axes: readonly string[]): string | null {
  if (axis.split('.').includes('')) return 'is no config path like train.batchSize'
  if (Object.hasOwn(ownPaths, axis)) return ownPaths[axis]!
  const inside = axes.find((other) => other.startsWith(`${axis}.`))
  return inside === undefined ? null : `holds ${inside}, which is an axis of its own`
}

/** The JSON Schema that editors read: configs/sweeps/schema.json. */
export function sweepJsonSchema(): object {
  return z.toJSONSchema(sweepSchema, { io: 'input', target: 'draft-7' })
}
