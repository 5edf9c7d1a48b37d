import { jsonText } from '../files/json.js'
import type { Config } from './schema.js'

/**
 * Paths of fields that are newer than version 0.2.0, with the value that stands for their absence. A config is written
 * without those that have this value: it then has the same bytes and the same checksum as one of an older version, so
 * older runs can be resumed. "*" is any element of a list.
 */
const absences: Readonly<Record<string, unknown>> = {
  'data.validation': 0,
  'model.activation': 'relu',
  'model.init': 'he-uniform',
  'loss.eigen.layers': 'latent',
  'loss.eigen.*.layers': 'latent',
  'optimizer.warmup': 0,
  'optimizer.averaging': null,
}

/** Returns a config as it is written: into config.json, the header of a model, and checksums. */
export function configJson(config: Config): object {
  return withoutAbsent(config, '') as object
}

function withoutAbsent(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element) => withoutAbsent(element, `${path}*.`))
  const present = Object.entries(value).filter(
    ([field, inner]) => !(path + field in absences && absences[path + field] === inner),
  )
  return Object.fromEntries(
    present.map(([field, inner]) => [field, withoutAbsent(inner, `${path}${field}.`)]),
  )
}

/** Returns the part of a config that the runs of an arm share. */
export function withoutSeed(config: Config): object {
  return Object.fromEntries(Object.entries(configJson(config)).filter(([field]) => field !== 'seed'))
}

export function configText(config: Config): string {
  return jsonText(configJson(config))
}
