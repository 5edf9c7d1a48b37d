import { z } from 'zod'
import { configDifferences } from '../config/paths.js'
import { type Config, configJson, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { makeInnerFolder } from '../files/folder.js'
import { parseJsonIfValid, readIfPresent, sizeLimits } from '../files/read.js'
import { writeDurably } from '../files/write.js'
import { layersOf } from '../model/architecture.js'
import { layoutOf, packTensors, unpackTensors } from '../model/layout.js'
import {
  evaluatedNetwork,
  modelTensors,
  type StateSpec,
  stateOf,
  stateOfNetwork,
  statePartsOf,
  type TrainerState,
} from '../model/state.js'
import { type RunFiles, tableNames } from './files.js'
import { type FileSum, fileSumSchema, mismatch, remakeHint, sumOf } from './integrity.js'
import { decodeSafetensors, encodeSafetensors, readMetadata } from './safetensors.js'

// The two files of a run that hold tensors: the checkpoint, from which a run resumes, and the final model. safetensors.ts
// writes a SHA-256 of tensors and metadata into each; run.json has that of the whole file.

const originSchema = z.object({
  configSha256: z.string(),
  device: z.string(),
  dataSha256: z.record(z.string(), z.string()),
  /** Length and SHA-256 of each table up to the checkpoint's epoch. Runs of other versions may lack tables. */
  tables: z.partialRecord(z.enum(tableNames), fileSumSchema),
})

const checkpointFormat = 'eigenae-checkpoint-1'

const headSchema = z.object({
  format: z.literal(checkpointFormat),
  /** The number of trained epochs. */
  epoch: z.coerce.number().int(),
  step: z.coerce.number().int(),
  /** Identifies the run of the checkpoint: its config, device and data, and its tables. */
  origin: originSchema,
})

/** The metadata in a checkpoint's header. */
export type CheckpointHead = z.output<typeof headSchema>
export type TableSums = CheckpointHead['origin']['tables']

/** Everything needed to continue after an epoch, bit for bit. */
export interface Checkpoint {
  readonly epoch: number
  readonly state: TrainerState
  readonly origin: CheckpointHead['origin']
}

/** Replaces the checkpoint atomically, so that there is always one complete checkpoint. */
export async function writeCheckpoint(
  files: RunFiles,
  config: Config,
  { epoch, state, origin }: Checkpoint,
): Promise<void> {
  const others = statePartsOf(stateSpecOf(config)).filter(({ prefix }) => prefix !== '')
  const tensors = new Map([
    ...modelTensors(config.model, state),
    ...others.flatMap(({ part, tensors, prefix }) => unpackTensors(tensors, state[part], prefix)),
  ])
  const metadata = {
    format: checkpointFormat,
    epoch: String(epoch),
    step: String(state.step),
    origin: JSON.stringify(origin),
  }
  await makeInnerFolder(files.checkpointFolder)
  await writeDurably(files.checkpoint, encodeSafetensors({ tensors, metadata }))
}

/** Returns the metadata, null if there is no checkpoint. @throws EigenaeError if the header or the length is wrong. */
export function readCheckpointHead({ checkpoint: file }: RunFiles): CheckpointHead | null {
  const metadata = readMetadata(file)
  return metadata === undefined ? null : headOf(metadata, file)
}

function headOf(metadata: Readonly<Record<string, string>>, file: string): CheckpointHead {
  const head = headSchema.safeParse({ ...metadata, origin: parseJsonIfValid(metadata.origin) })
  if (!head.success) throw unusable(file, 'is not a checkpoint of this run: its header does not name its run')
  return head.data
}

/** Returns null if there is no checkpoint. @throws EigenaeError if the file is damaged. */
export function readCheckpoint(files: RunFiles, config: Config): Checkpoint | null {
  const file = files.checkpoint
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const { epoch, step, origin } = headOf(metadata, file)
  const missing = (name: string) =>
    unusable(file, `is not a checkpoint of this run: it lacks ${name} of this config`)
  const state = stateOf(stateSpecOf(config), step, (part) =>
    packTensors(part.tensors, tensors, missing, part.prefix),
  )
  return { epoch, origin, state }
}

function stateSpecOf({ model, optimizer }: Config): StateSpec {
  return { ...model, optimizer }
}

const modelFormat = 'eigenae-model-1'

/**
 * Writes model.safetensors, the final parameters and running statistics, averaged if the optimiser averages, with the
 * architecture and the config in the metadata. Returns the file's sum.
 */
export async function writeModel(file: string, config: Config, state: TrainerState): Promise<FileSum> {
  const tensors = modelTensors(config.model, evaluatedNetwork(state))
  const metadata = {
    format: modelFormat,
    architecture: JSON.stringify(layersOf(config.model)),
    config: JSON.stringify(configJson(config)),
  }
  const bytes = encodeSafetensors({ tensors, metadata })
  await writeDurably(file, bytes)
  return sumOf(bytes)
}

/**
 * Returns the final state of a run, null if it has no model yet.
 * @param sum the sum in run.json, undefined if the run is not complete
 * @throws EigenaeError if the file is damaged or is another run's.
 */
export function readModel(file: string, config: Config, sum?: FileSum): TrainerState | null {
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const reason = otherConfig(file, metadata, config) ?? (sum === undefined ? null : mismatch(bytes, sum))
  if (reason !== null) throw unusable(file, reason)
  const layout = layoutOf(config.model)
  const missing = (name: string) => unusable(file, `lacks ${name} of this run's config`)
  const parameters = packTensors(layout.parameters, tensors, missing)
  const runningStatistics = packTensors(layout.runningStatistics, tensors, missing)
  return stateOfNetwork(stateSpecOf(config), { parameters, runningStatistics })
}

/**
 * Returns why the model in a file belongs to another config, null if it belongs to this one, undefined if there is none.
 * @throws EigenaeError if the header or the file's length is wrong.
 */
export function modelMismatch(file: string, config: unknown): string | null | undefined {
  const metadata = readMetadata(file)
  return metadata && otherConfig(file, metadata, config)
}

/** Returns why a model's header names another config, null if it names this one. */
function otherConfig(
  file: string,
  metadata: Readonly<Record<string, string>>,
  config: unknown,
): string | null {
  if (metadata.format !== modelFormat || metadata.config === undefined)
    throw unusable(file, 'is not the model of a run')
  if (metadata.config === JSON.stringify(config)) return null
  const [difference] = configDifferences(
    withDefaults(parseJsonIfValid(metadata.config)),
    withDefaults(config),
  )
  if (difference === undefined) return null
  const { path, left, right } = difference
  return `belongs to another run (${path}: ${left} in it, ${right} in config.json)`
}

/** Returns a config with defaults for fields that are newer than its file. */
function withDefaults(config: unknown): unknown {
  return configSchema.safeParse(config).data ?? config
}

function unusable(file: string, problem: string): EigenaeError {
  return new EigenaeError({ problem, subject: file, hint: remakeHint })
}
