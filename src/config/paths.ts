import { distance } from 'fastest-levenshtein'
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

/**
 * Returns the name that a wrong one is meant for, null if none is near: a key that is valid in its place, or else a path
 * whose last key is near, first those within the place, then short ones. "lr" stands for "learningRate".
 * @param valid the keys that are valid in the place
 */
export function nearestName(
  wrong: string,
  valid: readonly string[],
  paths: readonly string[],
  place = '',
): string | null {
  const depthOf = (path: string) => (path.startsWith(`${place}.`) ? 0 : path.split('.').length)
  const elsewhere = paths.filter((path) => !path.includes('*')).toSorted((a, b) => depthOf(a) - depthOf(b))
  const candidates = [...valid, ...elsewhere].map((path) => ({ path, edits: editsBetween(wrong, path) }))
  const [nearest] = candidates.toSorted((a, b) => a.edits - b.edits)
  // A short name has few letters to spare.
  const mostEdits = 0.5 + Math.min(3, Math.floor(wrong.length / 2))
  return nearest !== undefined && nearest.edits <= mostEdits ? nearest.path : null
}

/**
 * Returns the letters that must change to make a path or its last key of a name. Another case, underscores and initials
 * count as less than a letter.
 */
function editsBetween(name: string, path: string): number {
  const key = path.split('.').at(-1)!
  if (key === name) return 0
  if (initials(key) === name.toLowerCase()) return 0.5
  return 0.5 + Math.min(...[path, key].map((each) => distance(plain(name), plain(each))))
}

/** Returns whether a path equals another or lies below it. */
export function isWithin(path: string, other: string): boolean {
  return `${path}.`.startsWith(`${other}.`)
}

/** Returns whether setting a path changes one of the others: it is one of them, lies below it, or holds it. */
export function overlaps(path: string, others: readonly string[] = []): boolean {
  return others.some((other) => isWithin(path, other) || isWithin(other, path))
}

/** "batch_size" and "batchSize" have the same letters. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '')
}

/** "learningRate" → "lr"; undefined for a single word. */
function initials(key: string): string | undefined {
  const [first, ...capitals] = [key[0], ...key.slice(1).replace(/[^A-Z]/g, '')]
  return capitals.length === 0 ? undefined : [first, ...capitals].join('').toLowerCase()
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
