import type { Run } from '../../runs/read.js'
import { SweepPlans, unchecked } from '../../runs/sweep-plan.js'
import { writeWarning } from '../../text/output.js'

/** Warns of each damaged sweep.json with which a run of a sweep could not be compared. */
export function warnOfDamagedPlans(plans: SweepPlans): void {
  for (const line of plans.damage) writeWarning(`${line}; ${unchecked}`)
}

/**
 * Warns if the sweep.json of a run is damaged.
 * @throws EigenaeError if the run is not the one that its sweep planned for its folder.
 */
export function requirePlaced({ folder, record }: Pick<Run, 'folder' | 'record'>): void {
  const plans = new SweepPlans()
  plans.requirePlaced(folder, record)
  warnOfDamagedPlans(plans)
}
