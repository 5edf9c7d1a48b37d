import { closest } from 'fastest-levenshtein'
import type { z } from 'zod'
import type { JsonPath } from './json.js'
import { describeIssue, type Mistake, unionOptions, valueAt } from './mistakes.js'
import { withValue } from './override.js'
import { rules } from './rules.js'
import { type Config, configSchema } from './schema.js'

export type Checked =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'mistakes'; readonly mistakes: readonly Mistake[] }

/** A config with its defaults, or every mistake in it, those across fields among them. */
export function checkConfig(input: unknown): Checked {
  const parsed = configSchema.safeParse(input)
  const mistakes = parsed.success ? brokenRules(parsed.data, []) : allMistakes(input, parsed.error.issues)
  if (!parsed.success || mistakes.length > 0) return { kind: 'mistakes', mistakes }
  const { $schema: _editorsOnly, ...config } = parsed.data
  return { kind: 'config', config }
}

type Issues = readonly z.core.$ZodIssue[]

/** Zod looks no further into an object whose kind is wrong: what else is wrong there is judged by the nearest kind. */
function allMistakes(input: unknown, issues: Issues): readonly Mistake[] {
  const ofKind = issues.find((issue) => issue.code === 'invalid_union')
  if (ofKind === undefined) return [...describeAll(input, issues), ...mistakesBeside(input, issues)]
  const path = ofKind.path as JsonPath
  const nearest = closest(String(valueAt(input, path)), unionOptions(ofKind).map(String))
  const mended = withValue(input, path.map(String), nearest)
  const { error } = configSchema.safeParse(mended)
  return [...describeAll(input, [ofKind]), ...allMistakes(mended, error?.issues ?? [])]
}

function describeAll(input: unknown, issues: Issues): readonly Mistake[] {
  return issues.flatMap((issue) => describeIssue(issue, input, configSchema))
}

/** The rules that are broken, of those that rest on no wrong field. */
function mistakesBeside(input: unknown, issues: Issues): readonly Mistake[] {
  const wrong = issues.filter(({ code }) => code !== 'unrecognized_keys').map(({ path }) => path as JsonPath)
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key] as JsonPath) : [],
  )
  const left = [...wrong, ...unknown].reduce(withoutField, input)
  const parsed = configSchema.safeParse({ name: 'any', ...(left as object) })
  return parsed.success ? brokenRules(parsed.data, wrong) : []
}

function brokenRules(config: Config, wrong: readonly JsonPath[]): readonly Mistake[] {
  const isWrong = (field: string) =>
    wrong.some((path) => isWithin(path.join('.'), field) || isWithin(field, path.join('.')))
  return rules.filter(({ fields }) => !fields.some(isWrong)).flatMap(({ mistake }) => mistake(config) ?? [])
}

/** Whether a path is another, or leads on from it. */
function isWithin(path: string, other: string): boolean {
  return `${path}.`.startsWith(`${other}.`)
}

/** A copy without the field: of a list's element, without the list. */
function withoutField(input: unknown, path: JsonPath): unknown {
  const [key, ...rest] = path
  if (typeof input !== 'object' || input === null || key === undefined) return {}
  const { [String(key)]: field, ...others } = input as Readonly<Record<string, unknown>>
  const isLeaf = rest.length === 0 || Array.isArray(field) || typeof field !== 'object' || field === null
  return isLeaf ? others : { ...others, [key]: withoutField(field, rest) }
}
