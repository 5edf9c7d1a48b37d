import type { z } from 'zod'
import { suggestion } from '../text/names.js'
import { type JsonPath, valueAt } from './json.js'
import { pathsOf } from './paths.js'

/** One mistake in a config or sweep file. */
export interface Mistake {
  readonly path: JsonPath
  /** Follows the path in a message: "must be at least 1 (got 0)". */
  readonly problem: string
  /** Other fields on which the problem depends. */
  readonly causes?: readonly JsonPath[]
}

/** The problem of a field that must be there. */
export const missing = 'is missing'

/** Translates a zod issue into mistakes, each with the value that was given. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  input: unknown,
  schema: z.ZodType,
): readonly Mistake[] {
  const path = issue.path as JsonPath
  if (issue.code === 'unrecognized_keys') {
    const valid = validKeys(schema, path, input)
    return issue.keys.map((key) => ({
      path: [...path, key],
      problem: keyOfOtherKind(key, schema, path, input) ?? unknownKey(key, valid, path, schema),
    }))
  }
  const value = valueAt(input, path)
  if (value === undefined) return [{ path, problem: missing }]
  const inner = withinBranch(issue, input)
  if (inner[0] !== issue) return inner.flatMap((each) => describeIssue(each, input, schema))
  return [{ path, problem: `${expectation(issue)} (got ${abbreviatedJson(value)})` }]
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected === 'int' ? 'whole number' : issue.expected)}`
    case 'too_small':
      return `must be ${size(issue.origin)}${issue.inclusive === false ? 'over' : 'at least'} ${issue.minimum}`
    case 'too_big':
      return `must be ${size(issue.origin)}${issue.inclusive === false ? 'under' : 'at most'} ${issue.maximum}`
    case 'invalid_value':
      return `must be ${alternatives(issue.values)}`
    case 'invalid_union':
      return unionOptions(issue).length > 0 ? `must be ${alternatives(unionOptions(issue))}` : issue.message
    default:
      return issue.message
  }
}

export function unionOptions(issue: z.core.$ZodIssueInvalidUnion): readonly unknown[] {
  const options: readonly unknown[] = 'options' in issue && Array.isArray(issue.options) ? issue.options : []
  return options.filter((option) => option !== undefined)
}

/**
 * Returns the issues inside the one member of a union that has the value's type, with their paths from the root; the
 * issue itself if it has no such member.
 */
export function withinBranch(issue: z.core.$ZodIssue, input: unknown): readonly z.core.$ZodIssue[] {
  const isUnion = issue.code === 'invalid_union' && valueAt(input, issue.path as JsonPath) !== undefined
  const branch = isUnion ? branchOfType(issue) : null
  if (branch === null) return [issue]
  return branch.flatMap((inner) =>
    withinBranch({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, input),
  )
}

/** Returns the issues of the one member of a union that has the value's type, null if no member or several have it. */
function branchOfType({ errors }: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | null {
  const has = (issues: readonly z.core.$ZodIssue[], code: string, path: string) =>
    issues.some((issue) => issue.code === code && issue.path.join('.') === path)
  const ofType = errors.filter((issues) => !has(issues, 'invalid_type', ''))
  // A wrong word may be meant for another member: the message of the union lists all of them.
  const branches = ofType.filter(
    (issues) =>
      !has(issues, 'invalid_value', '') && (ofType.length === 1 || !has(issues, 'invalid_value', 'kind')),
  )
  return branches.length === 1 ? branches[0]! : null
}

function article(noun: string): string {
  const names: Readonly<Record<string, string>> = {
    boolean: 'true or false',
    object: 'an object',
    array: 'a list',
    record: 'an object',
  }
  return names[noun] ?? `a ${noun}`
}

function size(origin: string): string {
  return origin === 'array' ? 'a list of ' : origin === 'string' ? 'text of length ' : ''
}

function alternatives(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(' or ')
}

function abbreviatedJson(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

/** @param valid the keys of the object at `path` */
function unknownKey(key: string, valid: readonly string[], path: JsonPath, schema: z.ZodType): string {
  const advice =
    suggestion(key, valid, pathsOf(schema), path.join('.')) || `; known here: ${valid.join(', ')}`
  return `unknown key${advice}`
}

/** Returns the problem if the key belongs to another `kind` of the same object, null otherwise. */
function keyOfOtherKind(key: string, schema: z.ZodType, path: JsonPath, input: unknown): string | null {
  const shapes = shapesOf(typeAt(schema, path, input))
  const others = shapes.filter((shape) => Object.hasOwn(shape, key))
  if (others.length === 0) return null
  const kind = JSON.stringify(valueAt(input, [...path, 'kind']) ?? kindOf(shapes[0]))
  return `is not a field of the kind ${kind}, only of ${alternatives(others.map(kindOf))}: remove it, or change the kind`
}

/** Returns the keys that the schema allows in the object at `path`. */
function validKeys(schema: z.ZodType, path: JsonPath, input: unknown): readonly string[] {
  return Object.keys(shapeOf(typeAt(schema, path, input), valueAt(input, path)) ?? {})
}

function typeAt(schema: z.ZodType, path: JsonPath, input: unknown): z.core.$ZodType | undefined {
  return path.reduce<z.core.$ZodType | undefined>(
    (type, key, depth) => childOf(type, String(key), valueAt(input, path.slice(0, depth))),
    schema,
  )
}

/** Returns the type of a member of `value`, an object or a list of the given type. */
function childOf(
  type: z.core.$ZodType | undefined,
  key: string,
  value: unknown,
): z.core.$ZodType | undefined {
  const def = unwrapped(type)
  if (def?.type === 'record') return def.valueType
  if (def?.type === 'array') return def.element
  const list = def?.type === 'union' && Array.isArray(value) ? def.options.find(isList) : undefined
  return list === undefined ? shapeOf(type, value)?.[key] : childOf(list, key, value)
}

function isList(type: z.core.$ZodType): boolean {
  return unwrapped(type)?.type === 'array'
}

/** The fields of an object. */
type Shape = Readonly<Record<string, z.core.$ZodType>>

/** Returns the fields of an object. For a union, those of the value's `kind`. */
function shapeOf(type: z.core.$ZodType | undefined, value: unknown): Shape | undefined {
  const shapes = shapesOf(type)
  return shapes.find((shape) => kindOf(shape) === valueAt(value, ['kind'])) ?? shapes[0]
}

/** Returns the fields of an object, or of each object of a union. */
function shapesOf(type: z.core.$ZodType | undefined): readonly Shape[] {
  const def = unwrapped(type)
  if (def?.type === 'object') return [def.shape]
  return def?.type === 'union' ? def.options.flatMap(shapesOf) : []
}

/** Returns the definition of a type, through defaults, nullables and pipes. */
function unwrapped(type: z.core.$ZodType | undefined): z.core.$ZodTypes['_zod']['def'] | undefined {
  const def = (type as z.core.$ZodTypes | undefined)?._zod.def
  switch (def?.type) {
    case 'default':
    case 'prefault':
    case 'nullable':
    case 'optional':
      return unwrapped(def.innerType)
    case 'pipe':
      return unwrapped(def.in)
    default:
      return def
  }
}

function kindOf(shape: Shape | undefined): unknown {
  return [...(shape?.kind?._zod.values ?? [])][0]
}
