import { usageError } from '../errors.js'
import { checkConfig } from './check.js'
import { type JsonDocument, readJson } from './json.js'
import { withoutOldKinds } from './kinds.js'
import type { Mistake } from './mistakes.js'
import { applyOverrides, type Override } from './override.js'
import type { Config } from './schema.js'

/** A config file, read once: many configs can be made of it, each with overrides of its own. */
export interface ConfigFile {
  readonly file: string
  readonly document: JsonDocument
}

/** A config that can be used, or every mistake in it, a line each with its place in the file or its flag. */
export type Resolution =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'mistakes'; readonly lines: readonly string[] }

/**
 * The whole resolved config of a file and what the command line sets over it.
 * @throws one usage error that lists every mistake, each with its place in the file or its flag.
 */
export async function loadConfig(file: string, overrides: readonly Override[] = []): Promise<Config> {
  const resolution = resolveConfig(await readConfigFile(file), overrides)
  if (resolution.kind === 'config') return resolution.config
  throw usageError({ problem: 'this config cannot be used', subject: file, details: resolution.lines })
}

export async function readConfigFile(file: string): Promise<ConfigFile> {
  return { file, document: await readJson(file) }
}

export function resolveConfig({ document }: ConfigFile, overrides: readonly Override[]): Resolution {
  const { value, mistakes } = applyOverrides(withoutOldKinds(document.value, overrides), overrides)
  const checked = checkConfig(value)
  if (checked.kind === 'config' && mistakes.length === 0) return checked
  const inFields = checked.kind === 'mistakes' ? checked.mistakes : []
  const lines = inFields.map((mistake) => inPlace(mistake, document, overrides))
  return { kind: 'mistakes', lines: [...mistakes, ...lines] }
}

/** The mistake behind "3:12 data.noise", its place in the file, or behind the flag that set the value. */
function inPlace({ path, what }: Mistake, document: JsonDocument, overrides: readonly Override[]): string {
  const name = path.length === 0 ? '(the whole file)' : path.join('.')
  const setter = overrides.findLast((override) => isOf(override, path, document))
  if (setter === undefined) return `${document.placeOf(path)} ${name}: ${what}`
  return setter.flag.endsWith(name) ? `${setter.flag}: ${what}` : `${setter.flag}: ${name}: ${what}`
}

/** Whether an override set what is wrong, or made the object on its way that is. */
function isOf({ path: set }: Override, path: Mistake['path'], document: JsonDocument): boolean {
  const shared = set.slice(0, path.length)
  return (
    shared.every((key, depth) => key === String(path[depth])) &&
    (set.length <= path.length || !document.has(path))
  )
}
