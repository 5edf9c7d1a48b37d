import { type Config, configSchema, type RequestedDevice } from '../config/schema.js'
import type { Engine, Trainer } from '../engines/engine.js'
import { selectEngine } from '../engines/select.js'
import { EigenaeError, usageError } from '../errors.js'
import { inputDimension } from '../model/architecture.js'
import type { TrainerState } from '../model/state.js'
import { readCheckpoint, readModel } from '../runs/checkpoint.js'
import { runFiles } from '../runs/files.js'
import { readWholeRun, type WholeRun } from '../runs/read.js'
import { eigenaeCommand } from '../text/command-line.js'
import { trainerSpec } from './spec.js'

/** The model of a run. */
interface TrainedState {
  readonly state: TrainerState
  /** Null for the final model, otherwise the epoch of the checkpoint that is used. */
  readonly epoch: number | null
}

export interface TrainedRun extends TrainedState {
  readonly run: WholeRun
}

export interface ComputeOptions {
  readonly device: RequestedDevice
  /** The number of threads; it never changes a result. */
  readonly threads: number
}

export const onOneCore: ComputeOptions = { device: 'auto', threads: 1 }

/**
 * Returns a run with its model.
 * @throws EigenaeError if the folder holds no run, the run is damaged or has no model yet, or its config is of another
 * version.
 */
export async function readTrainedRun(folder: string): Promise<TrainedRun> {
  const run = await readWholeRun(folder)
  const trained = readTrainedState(run)
  if (trained === null) {
    throw usageError({
      problem: 'this run has no model yet',
      subject: folder,
      hint: `Train it first: ${eigenaeCommand('train … --resume')}.`,
    })
  }
  return { run, ...trained }
}

/** Returns a message that names the checkpoint in use, null if the model is the final one. */
export function modelNote({ run, epoch }: TrainedRun): string | null {
  if (epoch === null) return null
  const reason =
    run.status === 'completed' ? 'its model.safetensors is missing' : `not complete (${run.status})`
  const used = `using its checkpoint of epoch ${epoch} of ${run.config.train.epochs}`
  return `${run.folder}: ${reason}; ${used}${epoch === 0 ? ', before training' : ''}`
}

/** Calls `use` with a trainer in the given state. */
export async function withTrainer<T>(
  config: Config,
  state: TrainerState,
  { device, threads }: ComputeOptions,
  use: (trainer: Trainer, engine: Engine) => Promise<T>,
): Promise<T> {
  const spec = trainerSpec(config, 1, threads)
  const { engine } = await selectEngine(device, { spec })
  const noImages = new Uint8Array(inputDimension(config.model))
  const trainer = await engine.createTrainer(spec, noImages)
  try {
    await trainer.importState(state)
    return await use(trainer, engine)
  } finally {
    await trainer.dispose()
  }
}

/**
 * Returns the final model, or the one in the checkpoint; null if the run has neither yet.
 * @throws EigenaeError if the file is damaged, or if this version cannot run the config.
 */
export function readTrainedState(run: WholeRun): TrainedState | null {
  requireOwnVersion(run)
  const { folder, config, record } = run
  const files = runFiles(folder)
  const sums = record.status === 'completed' ? record.files : undefined
  const state = readModel(files.model, config, sums?.['model.safetensors'])
  return state === null ? readCheckpoint(files, config) : { state, epoch: null }
}

/** @throws EigenaeError if this version cannot run a run's config, which may lack fields of its type. */
export function requireOwnVersion({ folder, config }: WholeRun): void {
  if (configSchema.safeParse(config).success) return
  const problem = 'this version cannot run the model of this config, which another version of eigenae wrote'
  throw new EigenaeError({ problem, subject: runFiles(folder).config })
}
