import { writeMessage } from '../terminal/output.js'
import type { TrainedRun } from '../training/trained-model.js'

/** Says so where a model is not the final one. */
export function sayWhichModel({ run, epoch }: TrainedRun): void {
  if (epoch === null) return
  const why = run.status === 'completed' ? 'its model.safetensors is missing' : `not complete (${run.status})`
  const used = `its checkpoint of epoch ${epoch} of ${run.config.train.epochs} is used`
  const untrained = epoch === 0 ? ', before training' : ''
  writeMessage(`${run.folder}: ${why}; ${used}${untrained}`)
}
