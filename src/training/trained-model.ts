import { readFile } from 'node:fs/promises'
import type { Config } from '../config/schema.js'
import type { Trainer } from '../engines/engine.js'
import { selectEngine } from '../engines/select.js'
import { EigenaeError, fileError, hasCode } from '../errors.js'
import { layoutOf, type Tensor } from '../model/layout.js'
import { initialState, type TrainerState, tensorValues } from '../model/state.js'
import { readCheckpoint } from '../runs/checkpoint.js'
import { runFiles } from '../runs/files.js'
import { decodeSafetensors } from '../runs/safetensors.js'
import { trainerSpec } from './spec.js'

/** Runs `use` on the model of a run: the final one, or of one that is not complete, its checkpoint's. Null without. */
export async function withTrainedModel<T>(
  folder: string,
  config: Config,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T | null> {
  const state = await trainedState(folder, config)
  if (state === null) return null
  const { engine } = await selectEngine('auto')
  const trainer = await engine.createTrainer(trainerSpec(config, 1), new Uint8Array(config.model.widths[0]!))
  try {
    await trainer.importState(state)
    return await use(trainer)
  } finally {
    await trainer.dispose()
  }
}

async function trainedState(folder: string, config: Config): Promise<TrainerState | null> {
  const files = runFiles(folder)
  const bytes = await readFile(files.model).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return null
    throw fileError('read the model', files.model, error)
  })
  if (bytes === null) return (await readCheckpoint(files, config))?.state ?? null
  const { tensors } = decodeSafetensors(bytes, files.model)
  const state = initialState(config.model, config.seed)
  const layout = layoutOf(config.model)
  const fill = (list: readonly Tensor[], flat: Float32Array) => {
    for (const tensor of list) {
      const found = tensors.get(tensor.name)
      if (found?.values.length !== tensor.size)
        throw new EigenaeError({ what: `lacks ${tensor.name} of this run's config`, where: files.model })
      tensorValues(tensor, flat).set(found.values)
    }
  }
  fill(layout.parameters, state.parameters)
  fill(layout.runningStatistics, state.runningStatistics)
  return state
}
