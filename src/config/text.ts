import { jsonText } from '../files/json.js'
import type { Config } from './schema.js'

/**
 * Fields that are newer than version 0.1.0, with the value that stands for their absence. A config is written without
 * those that have this value: it then has the same bytes and the same checksum as one of an older version, so older
 * runs can be resumed.
 */
const absences: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  data: { validation: 0 },
}

/** Returns a config as it is written: into config.json, the header of a model, and checksums. */
export function configJson(config: Config): object {
  return Object.fromEntries(
    Object.entries(config).map(([name, section]) => [
      name,
      typeof section === 'object' ? withoutAbsent(section, absences[name] ?? {}) : section,
    ]),
  )
}

function withoutAbsent(section: object, absence: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(
    Object.entries(section).filter(([field, value]) => !(field in absence && absence[field] === value)),
  )
}

/** Returns the part of a config that the runs of an arm share. */
export function withoutSeed(config: Config): object {
  return Object.fromEntries(Object.entries(configJson(config)).filter(([field]) => field !== 'seed'))
}

export function configText(config: Config): string {
  return jsonText(configJson(config))
}
