import { type Config, configSchema, type RequestedDevice } from '../config/schema.js'
import type { Engine, Trainer } from '../engines/engine.js'
import { selectEngine } from '../engines/select.js'
import { EigenaeError, usageError } from '../errors.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { inputDimension } from '../model/architecture.js'
import { layoutOf, type Tensor } from '../model/layout.js'
import { initialState, type TrainerState, tensorValues } from '../model/state.js'
import { readCheckpoint } from '../runs/checkpoint.js'
import { runFiles } from '../runs/files.js'
import { readWholeRun, type WholeRun } from '../runs/read.js'
import { decodeSafetensors } from '../runs/safetensors.js'
import { trainerSpec } from './spec.js'

/** What a run has learned. */
export interface TrainedState {
  readonly state: TrainerState
  /** Null for the final model, the checkpoint's epoch for that of a run that is not complete. */
  readonly epoch: number | null
}

export interface TrainedRun extends TrainedState {
  readonly run: WholeRun
}

/** Where a model is run. */
export interface Place {
  readonly device: RequestedDevice
  /** How many cores; it never changes a number. */
  readonly threads: number
}

export const onOneCore: Place = { device: 'auto', threads: 1 }

/**
 * A run with its model.
 * @throws EigenaeError where the folder holds no run, the run no model yet, or its config is of another version.
 */
export async function readTrainedRun(folder: string): Promise<TrainedRun> {
  const run = await readWholeRun(folder)
  const trained = await readTrainedState(folder, run.config)
  if (trained === null) {
    throw usageError({
      what: 'this run has no model yet',
      where: folder,
      hint: 'Train it first: eigenae train … --resume.',
    })
  }
  return { run, ...trained }
}

/** What to say of a model that is not the final one; null of one that is. */
export function modelNote({ run, epoch }: TrainedRun): string | null {
  if (epoch === null) return null
  const why = run.status === 'completed' ? 'its model.safetensors is missing' : `not complete (${run.status})`
  const used = `its checkpoint of epoch ${epoch} of ${run.config.train.epochs} is used`
  return `${run.folder}: ${why}; ${used}${epoch === 0 ? ', before training' : ''}`
}

/** Runs `use` on a network of these parameters. */
export async function withTrainer<T>(
  config: Config,
  state: TrainerState,
  { device, threads }: Place,
  use: (trainer: Trainer, engine: Engine) => Promise<T>,
): Promise<T> {
  const { engine } = await selectEngine(device)
  const noImages = new Uint8Array(inputDimension(config.model))
  const trainer = await engine.createTrainer(trainerSpec(config, threads), noImages)
  try {
    await trainer.importState(state)
    return await use(trainer, engine)
  } finally {
    await trainer.dispose()
  }
}

/** Null where the run has no model yet. @throws EigenaeError where the config is one that this version cannot run. */
export async function readTrainedState(folder: string, config: Config): Promise<TrainedState | null> {
  const files = runFiles(folder)
  if (!configSchema.safeParse(config).success) {
    const what = 'this version cannot run the model of this config, which another version of eigenae wrote'
    throw new EigenaeError({ what, where: files.config })
  }
  const bytes = readIfPresent(files.model, sizeLimits.tensors)
  if (bytes === undefined) return readCheckpoint(files, config)
  const { tensors } = decodeModel(bytes, files.model)
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
  return { state, epoch: null }
}

function decodeModel(bytes: Uint8Array, file: string) {
  try {
    return decodeSafetensors(bytes, file)
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    throw new EigenaeError({
      ...error.parts,
      hint: "Remove it: the run's checkpoint is used where it is missing.",
    })
  }
}
