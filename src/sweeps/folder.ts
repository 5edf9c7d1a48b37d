import { join } from 'node:path'
import { z } from 'zod'
import { EigenaeError, usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'
import { sha256 } from '../runs/checksums.js'
import { collect, type Damage, damageText } from '../runs/damage.js'
import { version } from '../runs/facts.js'
import { runFiles } from '../runs/files.js'
import { entriesOf, isTrace } from '../runs/open.js'
import { recognise } from '../runs/recognise.js'
import { withChecksum } from '../runs/record.js'
import type { PlannedRun, SweepPlan } from './plan.js'

const savedPlanSchema = z.looseObject({
  format: z.literal('eigenae-sweep-1'),
  name: z.string(),
  runs: z.array(z.string()),
  /** Of the other fields; undefined in sweeps of 0.1.0. */
  sha256: z.string().optional(),
})

/** sweep.json in the sweep's folder: which runs belong to it. Their configs are in their own folders. */
type SavedPlan = z.output<typeof savedPlanSchema>

export interface SweepFiles {
  readonly plan: string
  readonly lock: string
}

export function sweepFiles(folder: string): SweepFiles {
  return { plan: join(folder, 'sweep.json'), lock: join(folder, '.lock') }
}

/** What is known of the sweep in a folder. */
export interface SavedSweep {
  /** The names of its runs; null if sweep.json is damaged. */
  readonly runs: readonly string[] | null
  readonly damage: readonly string[]
}

/**
 * Returns the sweep in a folder, null if it holds nothing yet; writes nothing.
 * @throws a usage error if the folder is another's, or is not empty without `resume`.
 */
export async function inspectSweepFolder(
  folder: string,
  plan: SweepPlan,
  resume: boolean,
): Promise<SavedSweep | null> {
  const entries = await entriesOf(folder)
  if (entries.every(isTrace)) return null
  const saved = savedSweep(folder, plan)
  if (resume) return saved
  throw usageError({
    problem: 'this folder holds this sweep already',
    subject: folder,
    hint: 'Go on with it by --resume, or name another folder with --out.',
  })
}

/** A sweep.json that is damaged is made anew if a run of the plan lies in the folder. */
function savedSweep(folder: string, plan: SweepPlan): SavedSweep {
  const { name } = plan.sweep
  const damage: Damage[] = []
  const saved = collect(damage, 'sweep.json', () => readSavedPlan(sweepFiles(folder).plan))
  if (saved?.name === name) return { runs: saved.runs, damage: [] }
  if (saved === undefined && plan.runs.some((run) => holdsRun(folder, run)))
    return { runs: null, damage: damage.map(damageText) }
  throw usageError({
    problem:
      saved === undefined
        ? 'this folder holds no sweep, so it is left as it is'
        : `this folder holds the sweep "${saved.name}"`,
    subject: folder,
    details: damage.map((each) => join(folder, damageText(each))),
    hint: 'Name another folder with --out.',
  })
}

function holdsRun(folder: string, { name, config }: PlannedRun): boolean {
  return recognise(runFiles(join(folder, name)), config).kind === 'same'
}

/** Makes this process the folder's only sweep, and saves the plan. */
export async function claimSweepFolder(folder: string, plan: SweepPlan): Promise<SweepFiles> {
  const files = sweepFiles(folder)
  await makeFolder(folder)
  await acquireLock(files.lock)
  const { sweep, runs } = plan
  const { name, variants, grid, seeds } = sweep
  const saved = {
    format: 'eigenae-sweep-1',
    name,
    file: sweep.file,
    version,
    variants: Object.fromEntries(variants),
    grid: Object.fromEntries(grid),
    seeds,
    runs: runs.map((run) => run.name),
  }
  await writeDurably(files.plan, jsonText(withChecksum(saved))).catch(async (error: unknown) => {
    await releaseLock(files.lock)
    throw error
  })
  return files
}

/** @throws EigenaeError if sweep.json is missing or damaged. */
export function readSavedPlan(file: string): SavedPlan {
  const text = readTextIfPresent(file)
  if (text === undefined) throw new EigenaeError({ problem: 'is missing', subject: file })
  const plan = parsedPlan(text)
  if (plan === null) throw new EigenaeError({ problem: 'is not the plan of a sweep', subject: file })
  const { sha256: sum, ...fields } = plan
  if (sum !== undefined && sum !== sha256(JSON.stringify(fields)))
    throw new EigenaeError({ problem: 'was changed (its checksum differs)', subject: file })
  return plan
}

function parsedPlan(text: string): SavedPlan | null {
  try {
    const value: unknown = JSON.parse(text)
    return savedPlanSchema.safeParse(value).success ? (value as SavedPlan) : null
  } catch {
    return null
  }
}
