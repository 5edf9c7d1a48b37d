/** sweep.json, the plan of a sweep: the names of its runs with the checksums of their configs. */
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { EigenaeError, firstLine, knownError } from '../errors.js'
import { modificationOf, readJsonIfPresent } from '../files/read.js'
import { runFiles } from './files.js'
import { configSums, hasItsChecksum, type RunRecord } from './record.js'

export const planFormat = 'eigenae-sweep-1'

export function planFile(folder: string): string {
  return join(folder, 'sweep.json')
}

// A plan keeps the config of every run in memory, and the folder of every run is inspected.
export const maxRuns = 100_000

const planSchema = z.looseObject({
  format: z.literal(planFormat),
  name: z.string(),
  baseline: z.string().optional(),
  grid: z.record(z.string(), z.array(z.unknown())).default({}),
  search: z
    .object({
      spaces: z.record(z.string(), z.record(z.string(), z.unknown())),
      halving: z.object({ metric: z.string(), epochs: z.array(z.int()) }).optional(),
    })
    .optional(),
  /** `<arm>/seed-<n>`: folders in the sweep's folder, never outside it. */
  runs: z.array(z.string().regex(/^(?!\.)[^/\\]+\/seed-\d+$/)),
  /** The SHA-256 of each run's config.json, by the run's name; empty in sweeps of version 0.2.0 and earlier. */
  configs: z.record(z.string(), z.string()).default({}),
  /** The SHA-256 of the config that a run had when this plan was saved, if it was another: one with fewer epochs. */
  earlierConfigs: z.record(z.string(), z.string()).default({}),
  /** Covers the other fields; a plan without it is not checked. */
  sha256: z.string().optional(),
})

type SavedPlan = z.output<typeof planSchema>

/** Returns the plan of the sweep in a folder, undefined if there is none. @throws EigenaeError if it is damaged. */
export function readPlan(folder: string): SavedPlan | undefined {
  const subject = planFile(folder)
  const value = readJsonIfPresent(subject)
  if (value === undefined) return undefined
  const parsed = planSchema.safeParse(value)
  if (!parsed.success)
    throw new EigenaeError({ problem: 'is not the plan of a sweep', subject, cause: parsed.error })
  // The checksum covers the order of the fields, which zod's copy may change.
  if (parsed.data.sha256 !== undefined && !hasItsChecksum(value as Readonly<Record<string, unknown>>))
    throw new EigenaeError({ problem: 'was changed (its checksum differs)', subject })
  return parsed.data
}

interface KnownPlan {
  readonly modified: string
  /** An error if sweep.json is damaged. */
  readonly plan: SavedPlan | EigenaeError
  /** The run of each config, by the config's checksum. */
  readonly runs: ReadonlyMap<string, string>
}

/** The plans of the sweeps in any folders. Each is read again only if its sweep.json was written since. */
export class SweepPlans {
  readonly #known = new Map<string, KnownPlan>()
  readonly #damage = new Set<string>()

  /** Returns the plan of the sweep in a folder, an error if it is damaged, undefined if there is none. */
  read(folder: string): SavedPlan | EigenaeError | undefined {
    return this.#planIn(folder)?.plan
  }

  /** One line for each damaged sweep.json with which a run of a sweep could not be compared. */
  get damage(): readonly string[] {
    return [...this.#damage]
  }

  /**
   * Returns why a run's config.json is not that of its folder in the plan. Returns null if it is, or if the plan names
   * neither the folder nor the config: such a run was added to the sweep's folder.
   */
  misplacement(folder: string, record: RunRecord): string | null {
    const { plan, runs } = this.#planIn(join(folder, '..', '..')) ?? {}
    // Only runs of sweeps have a log: above another run, sweep.json may be a sweep file.
    if (plan instanceof EigenaeError && existsSync(runFiles(folder).log)) this.#damage.add(firstLine(plan))
    if (plan === undefined || plan instanceof EigenaeError) return null
    const name = `${basename(resolve(folder, '..'))}/${basename(resolve(folder))}`
    const planned = plan.configs[name]
    const sums = configSums(record)
    if (sums.some((sum) => sum === planned || sum === plan.earlierConfigs[name])) return null
    const owner = sums.map((sum) => runs!.get(sum)).find((run) => run !== undefined)
    if (owner !== undefined) return `is that of ${owner} in sweep.json`
    return planned === undefined ? null : 'is not the one that sweep.json names'
  }

  /** @throws EigenaeError if a run's config.json is not that of its folder in the plan. */
  requirePlaced(folder: string, record: RunRecord): void {
    const problem = this.misplacement(folder, record)
    if (problem !== null)
      throw new EigenaeError({ problem, subject: runFiles(folder).config, hint: misplacedHint })
  }

  #planIn(folder: string): KnownPlan | undefined {
    const modified = modificationOf(planFile(folder))
    const before = this.#known.get(folder)
    if (before?.modified === modified) return before
    const plan = readOrError(folder)
    if (plan === undefined) {
      this.#known.delete(folder)
      return undefined
    }
    const sums =
      plan instanceof EigenaeError ? [] : [plan.earlierConfigs, plan.configs].flatMap(Object.entries<string>)
    const runs = new Map(sums.map(([run, sum]) => [sum, run]))
    const known = { modified, plan, runs }
    this.#known.set(folder, known)
    return known
  }
}

/** The end of a warning of a plan that cannot be used. */
export const unchecked = 'runs are not checked against the plan'

export const misplacedHint = 'Move such a run to the folder that sweep.json names, or out of the sweep.'

function readOrError(folder: string): SavedPlan | EigenaeError | undefined {
  try {
    return readPlan(folder)
  } catch (error) {
    return knownError(error)
  }
}
