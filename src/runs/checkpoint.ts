import { z } from 'zod'
import type { Config } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { makeInnerFolder } from '../files/folder.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { writeDurably } from '../files/write.js'
import { layoutOf, packTensors, type Tensor, unpackTensors } from '../model/layout.js'
import { modelTensors, type TrainerState } from '../model/state.js'
import { fileSumSchema, remakeHint } from './integrity.js'
import { type RunFiles, tableNames } from './files.js'
import { decodeSafetensors, encodeSafetensors, readMetadata, type TensorFile } from './safetensors.js'

/** All that is needed to go on after an epoch, bit for bit. */
export interface Checkpoint {
  /** Epochs trained. */
  readonly epoch: number
  readonly state: TrainerState
  /** The run that it belongs to; null in runs of 0.1.0. */
  readonly origin: CheckpointOrigin | null
}

const tableSumsSchema = z.record(z.enum(tableNames), fileSumSchema)

/** Length and digest of each table up to an epoch. */
export type TableSums = z.output<typeof tableSumsSchema>

const originSchema = z.object({
  configSha256: z.string(),
  device: z.string(),
  dataSha256: z.record(z.string(), z.string()),
  tables: tableSumsSchema,
})

/** Connects a checkpoint with its run: what it was trained from, and the tables up to its epoch. */
export type CheckpointOrigin = z.output<typeof originSchema>

const format = 'eigenae-checkpoint-1'
const momentPrefixes = { firstMoments: 'adam.first.', secondMoments: 'adam.second.' } as const

/** One file, replaced as a whole: there is always one complete checkpoint. */
export async function writeCheckpoint(
  files: RunFiles,
  config: Config,
  checkpoint: Checkpoint,
): Promise<void> {
  const { epoch, state, origin } = checkpoint
  const layout = layoutOf(config.model)
  const tensors = new Map([
    ...modelTensors(config.model, state),
    ...unpackTensors(layout.parameters, state.firstMoments, momentPrefixes.firstMoments),
    ...unpackTensors(layout.parameters, state.secondMoments, momentPrefixes.secondMoments),
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

/** What a checkpoint's header holds besides the tensors. */
export interface CheckpointHead {
  readonly epoch: number
  readonly step: number
  readonly origin: CheckpointOrigin | null
}

/** Returns the head alone, null if there is no checkpoint. @throws EigenaeError if it or the file's length is wrong. */
export function readCheckpointHead({ checkpoint: file }: RunFiles): CheckpointHead | null {
  const metadata = readMetadata(file)
  return metadata === undefined ? null : headOf(metadata, file)
}

function headOf(metadata: TensorFile['metadata'], file: string): CheckpointHead {
  if (metadata.format !== format) throw notOurs(file, `its format is ${metadata.format ?? 'not given'}`)
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

/** Null if the run ended before its first checkpoint. @throws EigenaeError if the file is damaged. */
export function readCheckpoint(files: RunFiles, config: Config): Checkpoint | null {
  const file = files.checkpoint
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const { epoch, step, origin } = headOf(metadata, file)
  const layout = layoutOf(config.model)
  const missing = (name: string) => notOurs(file, `it lacks ${name} of this config`)
  const pack = (list: readonly Tensor[], prefix?: string) => packTensors(list, tensors, missing, prefix)
  return {
    epoch,
    origin,
    state: {
      step,
      parameters: pack(layout.parameters),
      runningStatistics: pack(layout.runningStatistics),
      firstMoments: pack(layout.parameters, momentPrefixes.firstMoments),
      secondMoments: pack(layout.parameters, momentPrefixes.secondMoments),
    },
  }
}

function notOurs(file: string, what: string): EigenaeError {
  return new EigenaeError({
    problem: `is no checkpoint of this run: ${what}`,
    subject: file,
    hint: remakeHint,
  })
}
