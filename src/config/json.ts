import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { exitCode, fileError, usageError } from '../errors.js'
import { readInput } from '../files/read-input.js'

// A config has four levels; the parser, which calls itself for each, takes some thousands.
const deepest = 500

export type JsonPath = readonly (string | number)[]

export interface JsonDocument {
  readonly value: unknown
  readonly has: (path: JsonPath) => boolean
  /** "line:column" of the field at this path, or of what lies nearest around it. */
  readonly placeOf: (path: JsonPath) => string
}

export async function readJson(file: string): Promise<JsonDocument> {
  const text = await readInput(file).catch((error: unknown) => {
    throw fileError('read the config', file, error, exitCode.usage)
  })
  return parseJson(text, file)
}

/** Strict JSON: no comments, no trailing commas, no key twice. A mistake is said with line and column. */
export function parseJson(text: string, file: string): JsonDocument {
  const content = text.replace(/^\uFEFF/, '')
  const errors: ParseError[] = []
  if (nesting(content) > deepest)
    throw usageError({ problem: `is nested more than ${deepest} levels deep`, subject: file })
  const root = parseTree(content, errors, { disallowComments: true, allowTrailingComma: false })
  const place = (offset: number) => lineAndColumn(content, offset)
  // Only the first: the parser goes on after it, and what it finds then is mostly its own confusion.
  const mistakes = errors
    .slice(0, 1)
    .map(({ error, offset }) => `${place(offset)} ${inWords(printParseErrorCode(error))}`)
  if (root !== undefined && mistakes.length === 0) {
    for (const { key, offset } of repeatedKeys(root))
      mistakes.push(`${place(offset)} key "${key}" stands twice`)
  }
  if (root === undefined || mistakes.length > 0) {
    throw usageError({ problem: 'is not valid JSON', subject: file, details: mistakes })
  }
  return {
    value: valueIn(root),
    has: (path) => nodesOn(root, path).length === path.length,
    placeOf: (path) => place((nodesOn(root, path).at(-1) ?? root).offset),
  }
}

/** Brackets open at once, at the most: those within texts count too, which do not matter in such numbers. */
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
function inWords(code: string): string {
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

function valueIn(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(valueIn)
  if (node.type !== 'object') return node.value
  return Object.fromEntries(
    (node.children ?? []).map(({ children }) => [String(children![0]!.value), valueIn(children![1]!)]),
  )
}

/** The way along the path, as far as it leads: an object's properties with their keys, a list's elements. */
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
