import { writeMessage } from '../../text/output.js'
import { modelNote, type TrainedRun } from '../../training/trained-model.js'

/** Says so where a model is not the final one. */
export function sayWhichModel(trained: TrainedRun): void {
  const note = modelNote(trained)
  if (note !== null) writeMessage(note)
}
