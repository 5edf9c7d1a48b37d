import { dirname, isAbsolute, join, resolve } from 'node:path'
import { EigenaeError, firstLine, usageError } from '../errors.js'
import { type ConfigOrigin, checkConfig } from './check.js'
import { type JsonDocument, type JsonPath, readJson, valueAt, withValue } from './json.js'
import { type Mistake, missing } from './mistakes.js'
import { objectsAt, overlaps, pairedFields } from './paths.js'
import { type Config, configSchema } from './schema.js'

/** A value from the command line for one field of the config. */
export interface Override {
  readonly path: readonly string[]
  readonly value: unknown
  /** As the user wrote it, for messages: `--set loss.eigen.weight`, `--epochs`. */
  readonly flag: string
}

/** Parses `loss.eigen.weight=0.5`. The value is JSON, or else a bare word (`model.batchNorm=all`). */
export function parseSetting(setting: string): Override {
  const equals = setting.indexOf('=')
  const name = setting.slice(0, equals)
  const path = name.split('.')
  if (equals < 1 || path.includes('')) {
    throw usageError({
      problem: `expected path=value, got "${setting}"`,
      subject: '--set',
      hint: 'For example: --set loss.eigen.weight=0.5',
    })
  }
  if (/\[\d+\]/.test(name)) {
    throw usageError({
      problem: 'an element of a list is written after a dot, without brackets',
      subject: `--set ${name}`,
      hint: `Use --set ${name.replace(/\[(\d+)\]/g, '.$1')}=…`,
    })
  }
  return { path, value: jsonOrWord(setting.slice(equals + 1)), flag: `--set ${name}` }
}

function jsonOrWord(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A config file that has been read, with the files that it extends. Many configs can be made from it, each with its own overrides. */
export interface ConfigFile {
  readonly file: string
  readonly document: JsonDocument
}

/** A valid config, or every mistake in it, one line each with its location in the file or its flag. */
export type Resolution =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'mistakes'; readonly lines: readonly string[] }

/**
 * Returns the config of a file with overrides from the command line, every field filled in.
 * @throws one usage error that lists every mistake, each with its location in the file or its flag.
 */
export async function loadConfig(
  file: string,
  overrides: readonly Override[] = [],
  origin: ConfigOrigin = 'written',
): Promise<Config> {
  return validConfig(await readConfigFile(file), overrides, origin)
}

/** Does the same for a config that a script holds as an object. Its mistakes have no location, only a path. */
export function objectConfig(value: unknown, overrides: readonly Override[] = []): Config {
  const document: JsonDocument = {
    value,
    has: (path) => valueAt(value, path) !== undefined,
    locationOf: () => 'field',
  }
  return validConfig({ file: 'config', document }, overrides, 'written')
}

function validConfig(file: ConfigFile, overrides: readonly Override[], origin: ConfigOrigin): Config {
  const resolution = resolveConfig(file, overrides, origin)
  if (resolution.kind === 'config') return resolution.config
  throw usageError({ problem: 'this config cannot be used', subject: file.file, details: resolution.lines })
}

/** @throws a usage error that gives the place in the file that names a missing file, itself, or something else than a path */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  return { file, document: await readExtended(file, []) }
}

/** Fields that belong to their own file: a config without a name of its own would share its run folder with its base. */
const ownFields: readonly string[] = ['$schema', 'name', 'extends']

/**
 * Reads a config file and the files that it extends. In the document that it returns, each field has the value and the
 * location of the file that sets it: "3:12" in the file itself, "baseline.json:3:12" in one that it extends.
 * @param before the files that lead to this one, the first one first
 */
async function readExtended(file: string, before: readonly string[]): Promise<JsonDocument> {
  const own = await readJson(file)
  const named = valueAt(own.value, ['extends'])
  if (named === undefined) return own
  const refuse = (problem: string, hint?: string) =>
    usageError({
      problem: 'this config cannot be used',
      subject: file,
      details: [`${own.locationOf(['extends'])} extends: ${problem}`],
      ...(hint !== undefined && { hint }),
    })
  if (typeof named !== 'string' || named === '')
    throw refuse(`must be the path of a config file (got ${JSON.stringify(named)})`)
  const base = isAbsolute(named) ? named : join(dirname(file), named)
  const chain = [...before, file]
  if (chain.some((each) => resolve(each) === resolve(base)))
    throw refuse(`is a cycle: ${[...chain, base].join(' → ')}`)
  const document = await readExtended(base, chain).catch((error: unknown) => {
    // An error with details has places in the file that it is about.
    if (!(error instanceof EigenaeError) || error.parts.details !== undefined) throw error
    throw refuse(firstLine(error), error.parts.hint)
  })
  return merge(own, base, document)
}

/** Sets the fields of a file over those of the file that it extends, with the rules of --set. */
function merge(own: JsonDocument, base: string, document: JsonDocument): JsonDocument {
  const inherited = withoutFields(document.value, ownFields)
  const fields = pairedFields(withoutFields(own.value, ['extends']), inherited)
    .filter(({ left }) => left !== undefined)
    .map(({ path, left }) => ({ path, value: left, flag: '' }))
  const has = (path: JsonPath) =>
    own.has(path) || (!ownFields.includes(String(path[0])) && document.has(path))
  return {
    value: applyOverrides(withoutOldKinds(inherited, fields), fields).value,
    has,
    locationOf: (path) => {
      const prefixes = path.map((_, depth) => path.slice(0, path.length - depth))
      if (own.has(prefixes.find(has) ?? [])) return own.locationOf(path)
      const location = document.locationOf(path)
      // The location in a file that the base extends names that file already.
      return /^\d+:\d+$/.test(location) ? `${base}:${location}` : location
    },
  }
}

function withoutFields(value: unknown, names: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

/**
 * Returns the config of a file with overrides, or all mistakes in it.
 * @param advice the end of a message about a field of an object that the config lacks
 */
export function resolveConfig(
  { document }: ConfigFile,
  overrides: readonly Override[],
  origin: ConfigOrigin,
  advice = '',
): Resolution {
  const { value, mistakes } = applyOverrides(withoutOldKinds(document.value, overrides), overrides, advice)
  const checked = checkConfig(value, origin)
  if (checked.kind === 'config' && mistakes.length === 0) return checked
  const inFields = checked.kind === 'mistakes' ? checked.mistakes : []
  const lines = inFields.map((mistake) => withLocation(mistake, document, overrides, advice))
  return { kind: 'mistakes', lines: [...mistakes, ...lines] }
}

/** Prefixes a mistake with its location, "3:12 data.noise", or with the flag that set the value or a cause. */
function withLocation(
  mistake: Mistake,
  document: JsonDocument,
  overrides: readonly Override[],
  advice: string,
): string {
  const { path, problem, causes = [] } = mistake
  const name = path.length === 0 ? '(the whole file)' : path.join('.')
  const isCause = ({ path: set }: Override) =>
    overlaps(
      set.join('.'),
      causes.map((cause) => cause.join('.')),
    )
  const setter = overrides.findLast((override) => isSetBy(override, mistake, document) || isCause(override))
  if (setter === undefined) return `${document.locationOf(path)} ${name}: ${problem}`
  if (startsWith(path, setter.path))
    return `${[setter.flag, ...path.slice(setter.path.length)].join('.')}: ${problem}`
  const remedy = isCause(setter) && advice !== '' ? `; choose other values${advice}` : ''
  return `${setter.flag}: ${name}: ${problem}${remedy}`
}

function startsWith(whole: JsonPath, start: JsonPath): boolean {
  return start.every((key, depth) => String(key) === String(whole[depth]))
}

/** Returns whether an override set the value of a mistake, or created the object that it is, or that lacks a field. */
function isSetBy({ path: set }: Override, { path, problem }: Mistake, document: JsonDocument): boolean {
  if (startsWith(path, set)) return true
  const object = problem === missing ? path.slice(0, -1) : path
  return object.length > 0 && startsWith(set, object) && !document.has(object)
}

/**
 * Returns the file's config without the fields that an overridden `kind` does not have: over a top-k loss,
 * `--set loss.eigen.kind=log-max` drops the file's `k`. Fields set on the command line are kept.
 */
function withoutOldKinds(config: unknown, overrides: readonly Override[]): unknown {
  return overrides.filter(({ path }) => path.at(-1) === 'kind').reduce(withoutOldKind, config)
}

function withoutOldKind(config: unknown, { path, value: kind }: Override): unknown {
  const parent = path.slice(0, -1)
  const object = valueAt(config, parent)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return config
  const shapes = objectsAt(configSchema, parent)
  const fieldsOf = (named: unknown) => shapes.find((shape) => shape.kind === named)?.fields
  const oldFields = fieldsOf(Reflect.get(object, 'kind') ?? shapes[0]?.kind) ?? []
  const fields = fieldsOf(kind) ?? oldFields
  const kept = Object.entries(object).filter(([key]) => !oldFields.includes(key) || fields.includes(key))
  return withValue(config, parent, Object.fromEntries(kept))
}

interface OverrideResult {
  readonly value: unknown
  /** One line for each override that needs an object which the config lacks. mistakes.ts finds unknown fields. */
  readonly mistakes: readonly string[]
}

/** Returns a copy of `config` with the overrides in it; a later one wins. */
function applyOverrides(config: unknown, overrides: readonly Override[], advice = ''): OverrideResult {
  return overrides.reduce<OverrideResult>(
    ({ value, mistakes }, { path, value: leaf, flag }) => {
      const reason = missingObjectReason(value, path, overrides, advice) ?? invalidPathReason(value, path)
      return reason === null
        ? { value: withValue(value, path, leaf), mistakes }
        : { value, mistakes: [...mistakes, `${flag}: ${reason}`] }
    },
    { value: withoutOldLatent(config, overrides), mistakes: [] },
  )
}

/** Returns the config without its `latent` if an override sets the last of the widths, so that the later one wins. */
function withoutOldLatent(config: unknown, overrides: readonly Override[]): unknown {
  const model = valueAt(config, ['model'])
  if (valueAt(model, ['latent']) === undefined) return config
  const widths = valueAt(model, ['widths'])
  const last = Array.isArray(widths) ? String(widths.length - 1) : undefined
  const setsLatent = overrides.some(
    ({ path: [object, field, index] }) =>
      object === 'model' && field === 'widths' && (index === undefined || index === last),
  )
  return setsLatent ? withValue(config, ['model'], withoutFields(model, ['latent'])) : config
}

/** Objects that a config may lack, and that a field of them would add to it. */
const optionalObjects: readonly JsonPath[] = [
  ['loss', 'eigen'],
  ['optimizer', 'averaging'],
]

/** Returns the problem of a field whose object the config lacks, null if another override names the object's kind. */
function missingObjectReason(
  config: unknown,
  path: readonly string[],
  overrides: readonly Override[],
  advice: string,
): string | null {
  const object = optionalObjects.find(
    (each) => each.length < path.length && each.every((key, depth) => key === path[depth]),
  )
  if (object === undefined || (valueAt(config, object) ?? null) !== null) return null
  const name = object.join('.')
  if (overrides.some((each) => each.path.join('.') === `${name}.kind`)) return null
  return `the config has no ${name}; set ${name}.kind as well to add one${advice}`
}

/**
 * Returns why a config cannot have a field at a path, null if it can.
 * @param before the path to the target
 */
function invalidPathReason(
  target: unknown,
  [key, ...rest]: readonly string[],
  before: readonly string[] = [],
): string | null {
  if (key === undefined || target === null || target === undefined) return null
  if (typeof target !== 'object') return `${JSON.stringify(target)} has no field "${key}"`
  const inElement = Array.isArray(target) && typeof target[0] === 'object' ? [key, ...rest] : []
  if (Array.isArray(target) && !/^\d+$/.test(key))
    return `${before.join('.')} is a list of ${target.length}; name an element: ${[...before, 0, ...inElement].join('.')}`
  if (Array.isArray(target) && Number(key) >= target.length)
    return `there is no element ${key} in a list of ${target.length}, counted from 0`
  const value = Object.hasOwn(target, key) ? Reflect.get(target, key) : undefined
  return invalidPathReason(value, rest, [...before, key])
}
