import { dirname, isAbsolute, join, resolve } from 'node:path'
import { EigenaeError, firstLine, usageError } from '../errors.js'
import { type JsonDocument, type JsonPath, readJson, valueAt } from './json.js'

/** A field of a file and its value, which is not split further. */
export interface SetField {
  readonly path: readonly string[]
  readonly value: unknown
}

/** Returns a config with fields set over it, as `--set` sets them. */
export type SetFields = (config: unknown, fields: readonly SetField[]) => unknown

/** Fields that belong to their own file: a config without a name of its own would share its run folder with its base. */
const ownFields: readonly string[] = ['$schema', 'name', 'extends']

/**
 * Reads a config file and the files that it extends. In the document that it returns, each field has the value and the
 * location of the file that sets it: "3:12" in the file itself, "baseline.json:3:12" in one that it extends.
 * @throws a usage error that gives the place in the file that names a missing file, itself, or something else than a path
 */
export async function readExtended(file: string, setFields: SetFields): Promise<JsonDocument> {
  return readChain(file, [], setFields)
}

/** @param before the files that lead to this one, the first one first */
async function readChain(
  file: string,
  before: readonly string[],
  setFields: SetFields,
): Promise<JsonDocument> {
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
  const document = await readChain(base, chain, setFields).catch((error: unknown) => {
    // An error with details has places in the file that it is about.
    if (!(error instanceof EigenaeError) || error.parts.details !== undefined) throw error
    throw refuse(firstLine(error), error.parts.hint)
  })
  return merge(own, base, document, setFields)
}

function merge(own: JsonDocument, base: string, document: JsonDocument, setFields: SetFields): JsonDocument {
  const inherits = (path: JsonPath) => !ownFields.includes(String(path[0])) && document.has(path)
  const has = (path: JsonPath) => own.has(path) || inherits(path)
  const inherited = withoutFields(document.value, ownFields)
  return {
    value: setFields(inherited, fieldsOver(inherited, withoutFields(own.value, ['extends']), [])),
    has,
    locationOf: (path) => {
      const known = longestPrefix(path, has)
      if (own.has(known)) return own.locationOf(path)
      const location = document.locationOf(path)
      // The location in a file that the base extends names that file already.
      return /^\d+:\d+$/.test(location) ? `${base}:${location}` : location
    },
  }
}

function withoutFields(value: unknown, names: readonly string[]): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

/** Splits a value into fields, down to the level at which one of both values is no object. */
function fieldsOver(base: unknown, own: unknown, path: readonly string[]): readonly SetField[] {
  if (!isObject(own) || !isObject(base)) return [{ path, value: own }]
  return Object.entries(own).flatMap(([name, value]) => fieldsOver(base[name], value, [...path, name]))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function longestPrefix(path: JsonPath, has: (path: JsonPath) => boolean): JsonPath {
  const prefixes = path.map((_, depth) => path.slice(0, path.length - depth))
  return prefixes.find(has) ?? []
}
