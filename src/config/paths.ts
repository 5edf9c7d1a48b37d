import { z } from 'zod'
import { type JsonPath, valueAt } from './json.js'
import { configSchema } from './schema.js'

/** A JSON Schema, as far as it leads to fields. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly const?: unknown
  /** The schema of the values of an object whose keys the user chooses. */
  readonly additionalProperties?: Schema | false
}

const knownSchemas = new Map<z.ZodType, Schema>()

function jsonSchemaOf(schema: z.ZodType): Schema {
  const known = knownSchemas.get(schema) ?? (z.toJSONSchema(schema, { io: 'input' }) as Schema)
  knownSchemas.set(schema, known)
  return known
}

/** Returns every path of a schema, objects included: "loss.eigen", "loss.eigen.kind". A list's elements are "*". */
export function pathsOf(schema: z.ZodType): readonly string[] {
  // For editors only.
  return [...new Set(pathsIn(jsonSchemaOf(schema), ''))].filter((path) => path !== '$schema')
}

/** The fields of an object, and its kind; undefined if it has none. */
interface ObjectShape {
  readonly kind: unknown
  readonly fields: readonly string[]
}

/** Returns the objects that a schema allows at a path. The first is that of an object which names no kind. */
export function objectsAt(schema: z.ZodType, path: JsonPath): readonly ObjectShape[] {
  const found = path.reduce<readonly Schema[]>(
    (schemas, key) => schemas.flatMap(branchesOf).flatMap((each) => memberOf(each, String(key))),
    [jsonSchemaOf(schema)],
  )
  return found
    .flatMap(branchesOf)
    .flatMap(({ properties }) =>
      properties === undefined ? [] : [{ kind: properties.kind?.const, fields: Object.keys(properties) }],
    )
}

function branchesOf(schema: Schema): readonly Schema[] {
  return [schema, ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(branchesOf)]
}

function memberOf({ properties, items, additionalProperties }: Schema, key: string): readonly Schema[] {
  const member = properties?.[key] ?? (/^\d+$/.test(key) ? items : undefined) ?? additionalProperties
  return member ? [member] : []
}

/**
 * Returns every config path of this version. A list's elements are "*", and so are the fields of an object whose keys the user
 * chooses.
 */
export function configPaths(): readonly string[] {
  return pathsOf(configSchema)
}

/** True if a config of this version can have a field at a path: "model.widths.0" is the first element of a list. */
export function isConfigPath(path: string): boolean {
  const general = path.replace(/\.\d+(?=\.|$)/g, '.*').replace(/\.parameters\.[^.]+$/, '.parameters.*')
  return configPaths().includes(general)
}

export const latentPath = 'model.latent'
const widthsPath = 'model.widths'

/** Returns whether a path equals another or lies below it. The latent size is one of the widths. */
export function isWithin(path: string, other: string): boolean {
  return `${path}.`.startsWith(`${other}.`) || (path === latentPath && other === widthsPath)
}

/** Returns a config's value at a path, undefined if it has none. */
export function settingAt(config: unknown, path: string): unknown {
  const value = valueAt(config, (path === latentPath ? widthsPath : path).split('.'))
  return path === latentPath && Array.isArray(value) ? value.at(-1) : value
}

/** Returns whether setting a path changes one of the others: it is one of them, lies below it, or holds it. */
export function overlaps(path: string, others: readonly string[] = []): boolean {
  return others.some((other) => isWithin(path, other) || isWithin(other, path))
}

function pathsIn(
  { properties = {}, anyOf = [], oneOf = [], items, additionalProperties }: Schema,
  path: string,
): readonly string[] {
  const within = (key: string) => (path === '' ? key : `${path}.${key}`)
  const any = [items, additionalProperties || undefined].flatMap((each) =>
    each === undefined ? [] : [['*', each] as const],
  )
  const children = [...Object.entries(properties), ...any]
  return [
    ...children.flatMap(([key, child]) => [within(key), ...pathsIn(child, within(key))]),
    ...[...anyOf, ...oneOf].flatMap((branch) => pathsIn(branch, path)),
  ]
}

/** A field of two values: at least one of them is no object there, so it is not split further. */
interface PairedField {
  readonly path: readonly string[]
  /** Undefined if the value lacks the field. */
  readonly left: unknown
  readonly right: unknown
}

/** Walks two values field by field, in the order of the left one. A list is a single value. */
export function pairedFields(
  left: unknown,
  right: unknown,
  path: readonly string[] = [],
): readonly PairedField[] {
  if (!isObject(left) || !isObject(right)) return [{ path, left, right }]
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].flatMap((key) => pairedFields(left[key], right[key], [...path, key]))
}

/** Returns the fields of a config by their paths: "loss.eigen.kind" → "top-k". */
export function fieldsByPath(config: unknown): ReadonlyMap<string, unknown> {
  return new Map(pairedFields(config, config).map(({ path, left }) => [path.join('.'), left]))
}

/** One field in which two configs differ, with both values as JSON; "nothing" if a config lacks the field. */
export interface ConfigDifference {
  readonly path: string
  readonly left: string
  readonly right: string
}

/** Returns all fields in which two configs differ, in the order of the left config. */
export function configDifferences(left: unknown, right: unknown): readonly ConfigDifference[] {
  const text = (value: unknown) => JSON.stringify(value) ?? 'nothing'
  return pairedFields(left, right)
    .map((field) => ({ path: field.path.join('.'), left: text(field.left), right: text(field.right) }))
    .filter((each) => each.left !== each.right)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
