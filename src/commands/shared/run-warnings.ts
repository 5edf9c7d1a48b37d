import type { Run } from '../../runs/read.js'
import { SweepPlans, unchecked } from '../../runs/sweep-plan.js'
import { writeMessage, writeWarning } from '../../text/output.js'
import { modelNote, type TrainedRun } from '../../training/trained-model.js'

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

/** Prints which checkpoint is used if a model is not the final one. */
export function warnOfCheckpoint(trained: TrainedRun): void {
  const note = modelNote(trained)
  if (note !== null) writeMessage(note)
}
