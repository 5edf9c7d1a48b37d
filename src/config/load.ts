import type { z } from 'zod'
import { usageError } from '../errors.js'
import { latentDimension } from '../model/architecture.js'
import { penaltyMistake } from '../model/penalties/index.js'
import { type JsonDocument, readJson } from './json.js'
import { describeIssue, type Mistake } from './mistakes.js'
import { applyOverrides, type Override } from './override.js'
import { type Config, configSchema } from './schema.js'

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
  throw usageError({ what: 'this config cannot be used', where: file, details: resolution.lines })
}

export async function readConfigFile(file: string): Promise<ConfigFile> {
  return { file, document: await readJson(file) }
}

/** @throws a usage error where an override leads into something that has no fields. */
export function resolveConfig({ document }: ConfigFile, overrides: readonly Override[]): Resolution {
  const input = applyOverrides(document.value, overrides)
  const parsed = configSchema.safeParse(input)
  const mistakes = parsed.success
    ? mistakesAcrossFields(parsed.data)
    : parsed.error.issues.flatMap((issue) => describeIssue(issue, input, configSchema))
  if (parsed.success && mistakes.length === 0) {
    const { $schema: _editorsOnly, ...config } = parsed.data
    return { kind: 'config', config }
  }
  return { kind: 'mistakes', lines: mistakes.map((mistake) => inPlace(mistake, document, overrides)) }
}

/** The mistake behind "3:12 data.noise", its place in the file, or behind the flag that set the value. */
function inPlace({ path, what }: Mistake, document: JsonDocument, overrides: readonly Override[]): string {
  const name = path.length === 0 ? '(the whole file)' : path.join('.')
  const setter = overrides.findLast((override) => isOf(override, path, document))
  if (setter === undefined) return `${document.placeOf(path)} ${name}: ${what}`
  return setter.flag.endsWith(name) ? `${setter.flag}: ${what}` : `${setter.flag}: ${name} ${what}`
}

/** Whether an override set what is wrong, or made the object on its way that is. */
function isOf({ path: set }: Override, path: Mistake['path'], document: JsonDocument): boolean {
  const shared = set.slice(0, path.length)
  return (
    shared.every((key, depth) => key === String(path[depth])) &&
    (set.length <= path.length || !document.has(path))
  )
}

/** What no field can know alone. */
function mistakesAcrossFields(config: z.output<typeof configSchema>): readonly Mistake[] {
  return [...batchMistakes(config), ...penaltyMistakes(config)]
}

function batchMistakes({ train, model, loss }: Config): readonly Mistake[] {
  const path = ['train', 'batchSize']
  const latent = latentDimension(model)
  const got = `(got ${train.batchSize})`
  if (loss.eigen !== null && train.batchSize <= latent) {
    const why = "the rank of a batch's embedding is at most its number of images"
    return [
      { path, what: `must be over ${latent}, the bottleneck's width, with an eigen loss: ${why} ${got}` },
    ]
  }
  if (model.batchNorm !== 'none' && train.batchSize < 2) {
    return [{ path, what: `must be at least 2 with batch norm ${got}` }]
  }
  return []
}

function penaltyMistakes({ loss: { eigen }, model }: Config): readonly Mistake[] {
  const mistake = eigen && penaltyMistake(eigen, latentDimension(model))
  if (mistake === null) return []
  const value: unknown = Reflect.get(eigen!, mistake.key)
  return [{ path: ['loss', 'eigen', mistake.key], what: `${mistake.what} (got ${JSON.stringify(value)})` }]
}
