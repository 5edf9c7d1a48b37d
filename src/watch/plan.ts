import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readJsonIfPresent } from '../files/json.js'
import { sweepFiles } from '../sweeps/folder.js'

/** The part of a sweep.json that the watch shows. */
export interface WatchedPlan {
  readonly name: string
  /** `<arm>/seed-<n>`, the folders of the runs in the sweep's folder. */
  readonly runs: readonly string[]
  /** When the file was written. */
  readonly modified: string
}

const planSchema = z.object({ name: z.string(), runs: z.array(z.string()) })

/** Returns the plan of the sweep in a folder, without runs if its sweep.json is damaged. */
export function readPlan(folder: string, modified: string): WatchedPlan {
  try {
    const { data } = planSchema.safeParse(readJsonIfPresent(sweepFiles(folder).plan))
    return { name: data?.name ?? folder, runs: data?.runs ?? [], modified }
  } catch (error) {
    if (error instanceof EigenaeError) return { name: folder, runs: [], modified }
    throw error
  }
}
