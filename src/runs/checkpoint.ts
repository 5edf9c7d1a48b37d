import type { Config } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { makeInnerFolder } from '../files/inner.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { writeDurably } from '../files/write.js'
import { type Layout, layoutOf, type Tensor } from '../model/layout.js'
import { type TrainerState, tensorValues } from '../model/state.js'
import type { RunFiles } from './files.js'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors.js'

/** All that is needed to go on after an epoch, bit for bit. */
export interface Checkpoint {
  /** Epochs trained. */
  readonly epoch: number
  readonly state: TrainerState
}

const format = 'eigenae-checkpoint-1'
const momentPrefixes = { firstMoments: 'adam.first.', secondMoments: 'adam.second.' } as const

/** One file, replaced as a whole: there is always one complete checkpoint. */
export async function writeCheckpoint(
  files: RunFiles,
  config: Config,
  checkpoint: Checkpoint,
): Promise<void> {
  const { epoch, state } = checkpoint
  const layout = layoutOf(config.model)
  const tensors = new Map([
    ...named(layout.parameters, state.parameters),
    ...named(layout.runningStatistics, state.runningStatistics),
    ...named(layout.parameters, state.firstMoments, momentPrefixes.firstMoments),
    ...named(layout.parameters, state.secondMoments, momentPrefixes.secondMoments),
  ])
  const metadata = { format, epoch: String(epoch), step: String(state.step) }
  await makeInnerFolder(files.checkpointFolder)
  await writeDurably(files.checkpoint, encodeSafetensors({ tensors, metadata }))
}

/** Tensors by name, as model.safetensors and a checkpoint hold them. */
export function named(tensors: readonly Tensor[], flat: Float32Array, prefix = ''): [string, NamedTensor][] {
  return tensors.map((tensor) => [
    prefix + tensor.name,
    { shape: tensor.shape, values: tensorValues(tensor, flat) },
  ])
}

/** Null where the run was ended before its first checkpoint. @throws EigenaeError where the file is damaged. */
export async function readCheckpoint(files: RunFiles, config: Config): Promise<Checkpoint | null> {
  const file = files.checkpoint
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  if (metadata.format !== format) throw notOurs(file, `its format is ${metadata.format ?? 'not said'}`)
  const [epoch, step] = [Number(metadata.epoch), Number(metadata.step)]
  if (!Number.isInteger(epoch) || !Number.isInteger(step))
    throw notOurs(file, 'it does not say its epoch and step')
  const layout = layoutOf(config.model)
  const gather = (list: readonly Tensor[], size: number, prefix = '') =>
    flattened(list, size, tensors, prefix, file)
  return {
    epoch,
    state: {
      step,
      parameters: gather(layout.parameters, layout.parameterCount),
      runningStatistics: gather(layout.runningStatistics, layout.runningStatisticCount),
      firstMoments: gather(layout.parameters, layout.parameterCount, momentPrefixes.firstMoments),
      secondMoments: gather(layout.parameters, layout.parameterCount, momentPrefixes.secondMoments),
    },
  }
}

function flattened(
  list: Layout['parameters'],
  size: number,
  tensors: ReadonlyMap<string, NamedTensor>,
  prefix: string,
  file: string,
): Float32Array {
  const flat = new Float32Array(size)
  for (const tensor of list) {
    const found = tensors.get(prefix + tensor.name)
    if (found?.values.length !== tensor.size)
      throw notOurs(file, `it lacks ${prefix}${tensor.name} of this config`)
    flat.set(found.values, tensor.offset)
  }
  return flat
}

function notOurs(file: string, what: string): EigenaeError {
  return new EigenaeError({
    what: `this is no checkpoint of this run: ${what}`,
    where: file,
    hint: 'Start the run again with --overwrite.',
  })
}
