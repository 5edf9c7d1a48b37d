import { join } from 'node:path'
import { z } from 'zod'
import { EigenaeError, usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'
import { version } from '../runs/facts.js'
import { entriesOf, isTrace } from '../runs/open.js'
import type { SweepPlan } from './plan.js'

const savedPlanSchema = z.object({
  format: z.literal('eigenae-sweep-1'),
  name: z.string(),
  runs: z.array(z.string()),
})

/** sweep.json in the sweep's folder: which runs belong to it. Their configs are in their own folders. */
export type SavedPlan = z.output<typeof savedPlanSchema>

export interface SweepFiles {
  readonly plan: string
  readonly lock: string
}

export function sweepFiles(folder: string): SweepFiles {
  return { plan: join(folder, 'sweep.json'), lock: join(folder, '.lock') }
}

/**
 * The plan saved in a folder, null where it holds nothing yet; writes nothing.
 * @throws a usage error where the folder is another's, or not empty without `resume`.
 */
export async function inspectSweepFolder(
  folder: string,
  name: string,
  resume: boolean,
): Promise<SavedPlan | null> {
  const entries = await entriesOf(folder)
  if (entries.every(isTrace)) return null
  const saved = entries.includes('sweep.json') ? readSavedPlan(sweepFiles(folder).plan) : null
  if (saved === null || saved.name !== name) {
    throw usageError({
      what:
        saved === null
          ? 'this folder holds no sweep, so it is left as it is'
          : `this folder holds the sweep "${saved.name}"`,
      where: folder,
      hint: 'Name another folder with --out.',
    })
  }
  if (resume) return saved
  throw usageError({
    what: 'this folder holds this sweep already',
    where: folder,
    hint: 'Go on with it by --resume, or name another folder with --out.',
  })
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
  await writeDurably(files.plan, jsonText(saved)).catch(async (error: unknown) => {
    await releaseLock(files.lock)
    throw error
  })
  return files
}

function readSavedPlan(file: string): SavedPlan {
  const text = readTextIfPresent(file) ?? ''
  try {
    return savedPlanSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new EigenaeError({
      what: 'this is not the plan of a sweep',
      where: file,
      hint: 'Name another folder with --out.',
      cause,
    })
  }
}
