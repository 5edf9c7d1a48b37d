import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readJsonIfPresent } from '../files/json.js'
import { runFiles } from './files.js'

/** The part of a sweep.json that gives its arms their order: runs as `<arm>/seed-<n>`. */
const planSchema = z.object({ runs: z.array(z.string()) })

/**
 * Returns the places of a sweep's arms by their names, in the order of its sweep file; undefined if the folder holds no
 * sweep. @throws EigenaeError if its sweep.json is damaged.
 */
export function readArmOrder(folder: string): ReadonlyMap<string, number> | undefined {
  const file = join(folder, 'sweep.json')
  const value = readJsonIfPresent(file)
  if (value === undefined) return undefined
  const plan = planSchema.safeParse(value)
  if (!plan.success) {
    throw new EigenaeError({ problem: 'is not the plan of a sweep', subject: file, cause: plan.error })
  }
  const arms = new Set(plan.data.runs.map((run) => basename(dirname(run))))
  return new Map([...arms].map((arm, place) => [arm, place]))
}

/** Whether a sweep made a run in this folder, as `<arm>/seed-<n>`, but its sweep.json is gone. Only sweeps keep a log. */
export function lacksPlan(folder: string, run: string): boolean {
  return !existsSync(join(folder, 'sweep.json')) && existsSync(runFiles(run).log)
}
