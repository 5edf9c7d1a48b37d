import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { exitCode, fileError, usageError } from '../errors.js'
import { readInput } from '../files/read.js'

// A config has four levels. The parser is recursive and overflows the stack at some thousands.
const maximumDepth = 500

export type JsonPath = readonly (string | number)[]

export interface JsonDocument {
  readonly value: unknown
  /** Whether the text itself has a field at this path. */
  readonly has: (path: JsonPath) => boolean
  /** "line:column" of the field at this path, or of the nearest field or list around it. */
  readonly locationOf: (path: JsonPath) => string
}

export async function readJson(file: string): Promise<JsonDocument> {
  const text = await readInput(file).catch((error: unknown) => {
    throw fileError('read the config', file, error, exitCode.usage)
  })
  return parseJson(text, file)
}

/**
 * Parses strict JSON: no comments, no trailing commas, no duplicate keys.
 * @throws a usage error that gives each mistake with its line and column.
 */
function parseJson(text: string, file: string): JsonDocument {
  const content = text.replace(/^\uFEFF/, '')
  const errors: ParseError[] = []
  if (nesting(content) > maximumDepth)
    throw usageError({ problem: `is nested more than ${maximumDepth} levels deep`, subject: file })
  const root = parseTree(content, errors, { disallowComments: true, allowTrailingComma: false })
  const location = (offset: number) => lineAndColumn(content, offset)
  // Only the first syntax error: those that the parser reports after it are mostly consequences of it.
  const mistakes = errors
    .slice(0, 1)
    .map(({ error, offset }) => `${location(offset)} ${errorName(printParseErrorCode(error))}`)
  if (root !== undefined && mistakes.length === 0) {
    for (const { key, offset } of repeatedKeys(root))
      mistakes.push(`${location(offset)} duplicate key "${key}"`)
  }
  if (root === undefined || mistakes.length > 0) {
    throw usageError({ problem: 'is not valid JSON', subject: file, details: mistakes })
  }
  return {
    value: JSON.parse(content),
    has: (path) => nodesOn(root, path).length === path.length,
    locationOf: (path) => location((nodesOn(root, path).at(-1) ?? root).offset),
  }
}

/** Returns the largest number of brackets open at once. Brackets inside strings count too: a config has few. */
function nesting(text: string): number {
  let [open, most] = [0, 0]
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    open += bracket === '[' || bracket === '{' ? 1 : -1
    most = Math.max(most, open)
  }
  return most
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n')
  return `${before.length}:${before.at(-1)!.length + 1}`
}

/** "CommaExpected" → "comma expected". */
function errorName(code: string): string {
  return code.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
}

function* repeatedKeys(node: Node): Generator<{ key: string; offset: number }> {
  const seen = new Set<string>()
  for (const child of node.children ?? []) {
    if (node.type === 'object') {
      const [keyNode] = child.children!
      const key = String(keyNode!.value)
      if (seen.has(key)) yield { key, offset: keyNode!.offset }
      seen.add(key)
    }
    yield* repeatedKeys(child)
  }
}

/** Returns the nodes along a path, as far as it exists: properties of objects and elements of lists. */
function nodesOn(root: Node, path: JsonPath): readonly Node[] {
  const nodes: Node[] = []
  for (const key of path) {
    const last = nodes.at(-1) ?? root
    const next = childAt(last.type === 'property' ? last.children![1]! : last, key)
    if (next === undefined) break
    nodes.push(next)
  }
  return nodes
}

function childAt({ type, children }: Node, key: string | number): Node | undefined {
  if (type === 'array') return children?.[Number(key)]
  return children?.find((property) => property.children?.[0]?.value === key)
}

/** Returns the value at a path, undefined if the path leads nowhere. */
export function valueAt(input: unknown, path: JsonPath): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    input,
  )
}

/** Returns a copy with the value at a path; missing objects along the path are created. */
export function withValue(target: unknown, path: readonly string[], leaf: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return leaf
  if (Array.isArray(target))
    return target.map((value, index) => (index === Number(key) ? withValue(value, rest, leaf) : value))
  const fields = Object.entries(target ?? {}).filter(([name]) => name !== key)
  const old =
    fields.length === Object.keys(target ?? {}).length ? undefined : Reflect.get(target as object, key)
  return Object.fromEntries([...fields, [key, withValue(old, rest, leaf)]])
}

export type DeepReadonly<T> = T extends object ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> } : T
