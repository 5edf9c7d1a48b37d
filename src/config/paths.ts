import { z } from 'zod'
import { configSchema } from './schema.js'

/** A JSON Schema, as far as it leads to fields. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  /** The schema of the values of an object whose keys the user chooses. */
  readonly additionalProperties?: Schema | false
}

const knownPaths = new Map<z.ZodType, readonly string[]>()

/** Returns every path of a schema, objects included: "loss.eigen", "loss.eigen.kind". A list's elements are "*". */
export function pathsOf(schema: z.ZodType): readonly string[] {
  const known = knownPaths.get(schema)
  if (known !== undefined) return known
  const all = pathsIn(z.toJSONSchema(schema, { io: 'input' }) as Schema, '')
  // For editors only.
  const paths = [...new Set(all)].filter((path) => path !== '$schema')
  knownPaths.set(schema, paths)
  return paths
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

/** Returns whether a path equals another or lies below it. */
export function isWithin(path: string, other: string): boolean {
  return `${path}.`.startsWith(`${other}.`)
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
