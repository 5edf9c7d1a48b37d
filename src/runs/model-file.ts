import { configDifferences } from '../config/difference.js'
import { type Config, configSchema } from '../config/schema.js'
import { configJson } from '../config/text.js'
import { EigenaeError } from '../errors.js'
import { parseJsonIfValid } from '../files/json.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { writeDurably } from '../files/write.js'
import { layersOf } from '../model/architecture.js'
import { layoutOf, packTensors } from '../model/layout.js'
import { evaluatedNetwork, modelTensors, type TrainerState } from '../model/state.js'
import { type FileSum, mismatch, remakeHint, sumOf } from './integrity.js'
import { decodeSafetensors, encodeSafetensors, readMetadata, type TensorFile } from './safetensors.js'

const format = 'eigenae-model-1'

/**
 * Writes model.safetensors, the final parameters and running statistics with the architecture and the config in the
 * metadata, and returns the file's sum.
 */
export async function writeModel(file: string, config: Config, state: TrainerState): Promise<FileSum> {
  const tensors = modelTensors(config.model, evaluatedNetwork(state))
  const metadata = {
    format,
    architecture: JSON.stringify(layersOf(config.model)),
    config: JSON.stringify(configJson(config)),
  }
  const bytes = encodeSafetensors({ tensors, metadata })
  await writeDurably(file, bytes)
  return sumOf(bytes)
}

/**
 * Returns the final state of a run, null if it has no model yet.
 * @param sum the sum in run.json, undefined in runs of 0.1.0
 * @throws EigenaeError if the file is damaged or is another run's.
 */
export function readModel(file: string, config: Config, sum: FileSum | undefined): TrainerState | null {
  const bytes = readIfPresent(file, sizeLimits.tensors)
  if (bytes === undefined) return null
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const reason = otherConfig(metadata, config) ?? (sum === undefined ? null : mismatch(bytes, sum))
  if (reason !== null) throw new EigenaeError({ problem: reason, subject: file, hint: remakeHint })
  const layout = layoutOf(config.model)
  const missing = (name: string) =>
    new EigenaeError({ problem: `lacks ${name} of this run's config`, subject: file, hint: remakeHint })
  const parameters = packTensors(layout.parameters, tensors, missing)
  const runningStatistics = packTensors(layout.runningStatistics, tensors, missing)
  const isAveraged = config.optimizer.averaging !== null
  return {
    step: 0,
    parameters,
    firstMoments: new Float32Array(layout.parameterCount),
    secondMoments: new Float32Array(layout.parameterCount),
    runningStatistics,
    averagedParameters: isAveraged ? parameters : new Float32Array(0),
    averagedStatistics: isAveraged ? runningStatistics : new Float32Array(0),
  }
}

/** The result of comparing a model's header with a run's config. */
export interface ModelHead {
  /** Whether the header names the config that the model was trained with. */
  readonly hasConfig: boolean
  /** Why the model does not belong to the config, null if it does, or if the header names no config. */
  readonly mismatch: string | null
}

/** Returns null if there is no model. @throws EigenaeError if the header or the file's length is wrong. */
export function readModelHead(file: string, config: unknown): ModelHead | null {
  const metadata = readMetadata(file)
  if (metadata === undefined) return null
  const hasConfig = metadata.format === format && metadata.config !== undefined
  return { hasConfig, mismatch: otherConfig(metadata, config) }
}

/** Returns why the model has another config, null if it has the same or none, as models of other programs. */
function otherConfig(metadata: TensorFile['metadata'], config: unknown): string | null {
  if (metadata.config === undefined || metadata.config === JSON.stringify(config)) return null
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
  const checked = configSchema.safeParse(config)
  return checked.success ? checked.data : config
}
