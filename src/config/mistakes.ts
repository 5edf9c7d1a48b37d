import type { z } from 'zod'
import { suggestion } from '../text/names.js'
import { type JsonPath, valueAt } from './json.js'
import { objectsAt, pathsOf } from './paths.js'

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
    const objects = objectsAt(schema, path)
    const kind = valueAt(input, [...path, 'kind']) ?? objects[0]?.kind
    const { fields } = objects.find((each) => each.kind === kind) ?? objects[0] ?? { fields: [] }
    return issue.keys.map((key) => {
      const others = objects.filter((each) => each.fields.includes(key))
      const advice = suggestion(key, fields, pathsOf(schema), path.join('.'))
      const problem =
        others.length === 0
          ? `unknown key${advice || `; known here: ${fields.join(', ')}`}`
          : `is not a field of the kind ${JSON.stringify(kind)}, only of ${alternatives(others.map((each) => each.kind))}: remove it, or change the kind`
      return { path: [...path, key], problem }
    })
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
