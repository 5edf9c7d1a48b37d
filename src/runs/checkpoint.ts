import { z } from 'zod'
import type { Config } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { makeInnerFolder } from '../files/folder.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { writeDurably } from '../files/write.js'
import { layoutOf, packTensors, type Tensor, unpackTensors } from '../model/layout.js'
import { modelTensors, type TrainerState } from '../model/state.js'
import { type RunFiles, tableNames } from './files.js'
import { fileSumSchema, remakeHint } from './integrity.js'
import { decodeSafetensors, encodeSafetensors, readMetadata, type TensorFile } from './safetensors.js'

/** Everything needed to continue after an epoch, bit for bit. */
export interface Checkpoint {
  /** The number of trained epochs. */
  readonly epoch: number
  readonly state: TrainerState
  /** Null in checkpoints of version 0.1.0. */
  readonly origin: CheckpointOrigin | null
}

const tableSumsSchema = z.partialRecord(z.enum(tableNames), fileSumSchema)

/** Length and SHA-256 of each table up to an epoch. Runs of other versions may lack tables. */
export type TableSums = z.output<typeof tableSumsSchema>

const originSchema = z.object({
  configSha256: z.string(),
  device: z.string(),
  dataSha256: z.record(z.string(), z.string()),
  tables: tableSumsSchema,
})

/** Identifies the run of a checkpoint: its config, device and data, and the tables up to the checkpoint's epoch. */
export type CheckpointOrigin = z.output<typeof originSchema>

const format = 'eigenae-checkpoint-1'
const prefixes = {
  firstMoments: 'adam.first.',
  secondMoments: 'adam.second.',
  averaged: 'averaged.',
} as const

/** Replaces the checkpoint atomically, so that there is always one complete checkpoint. */
export async function writeCheckpoint(
  files: RunFiles,
  config: Config,
  checkpoint: Checkpoint,
): Promise<void> {
  const { epoch, state, origin } = checkpoint
  const { parameters, runningStatistics } = layoutOf(config.model)
  const tensors = new Map([
    ...modelTensors(config.model, state),
    ...unpackTensors(parameters, state.firstMoments, prefixes.firstMoments),
    ...unpackTensors(parameters, state.secondMoments, prefixes.secondMoments),
    ...(config.optimizer.averaging === null
      ? []
      : [
          ...unpackTensors(parameters, state.averagedParameters, prefixes.averaged),
          ...unpackTensors(runningStatistics, state.averagedStatistics, prefixes.averaged),
        ]),
  ])
  const metadata = {
    format,
    epoch: String(epoch),
    step: String(state.step),
    ...(origin && { origin: JSON.stringify(origin) }),
  }
  await makeInnerFolder(files.checkpointFolder)
  await writeDurably(files.checkpoint, encodeSafetensors({ tensors, metadata }))
}

/** The metadata in a checkpoint's header. */
export interface CheckpointHead {
  readonly epoch: number
  readonly step: number
  readonly origin: CheckpointOrigin | null
}

/** Returns the metadata, null if there is no checkpoint. @throws EigenaeError if the header or the length is wrong. */
export function readCheckpointHead({ checkpoint: file }: RunFiles): CheckpointHead | null {
  const metadata = readMetadata(file)
  return metadata === undefined ? null : headerOf(metadata, file)
}

function headerOf(metadata: TensorFile['metadata'], file: string): CheckpointHead {
  if (metadata.format !== format) throw notOurs(file, `its format is ${metadata.format ?? 'missing'}`)
  const [epoch, step] = [Number(metadata.epoch), Number(metadata.step)]
  if (!Number.isInteger(epoch) || !Number.isInteger(step)) throw notOurs(file, 'it lacks its epoch and step')
  return { epoch, step, origin: metadata.origin === undefined ? null : originOf(metadata.origin, file) }
}

function originOf(text: string, file: string): CheckpointOrigin {
  try {
    return originSchema.parse(JSON.parse(text))
  } catch {
    throw notOurs(file, 'it does not name its run')
  }
}

/** Returns null if there is no checkpoint. @throws EigenaeError if the file is damaged. */
export function readCheckpoint(files: RunFiles, config: Config): Checkpoint | null {
  const file = files.checkpoint
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const { epoch, step, origin } = headerOf(metadata, file)
  const { parameters, runningStatistics } = layoutOf(config.model)
  const missing = (name: string) => notOurs(file, `it lacks ${name} of this config`)
  const pack = (list: readonly Tensor[], prefix?: string) => packTensors(list, tensors, missing, prefix)
  const averaged = (list: readonly Tensor[]) =>
    config.optimizer.averaging === null ? new Float32Array(0) : pack(list, prefixes.averaged)
  return {
    epoch,
    origin,
    state: {
      step,
      parameters: pack(parameters),
      runningStatistics: pack(runningStatistics),
      firstMoments: pack(parameters, prefixes.firstMoments),
      secondMoments: pack(parameters, prefixes.secondMoments),
      averagedParameters: averaged(parameters),
      averagedStatistics: averaged(runningStatistics),
    },
  }
}

function notOurs(file: string, reason: string): EigenaeError {
  return new EigenaeError({
    problem: `is not a checkpoint of this run: ${reason}`,
    subject: file,
    hint: remakeHint,
  })
}
