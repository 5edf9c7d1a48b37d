import { isDeepStrictEqual } from 'node:util'
import { configPaths, isConfigPath, settingAt } from '../config/paths.js'
import { usageError } from '../errors.js'
import { escapeLine } from '../text/format.js'
import { compareNaturally, nearestName } from '../text/names.js'
import { terminalWidth } from '../text/shorten.js'
import { formatMetric, type Metric, metricOf, metrics } from './metrics.js'
import type { Run } from './read.js'

// The language of --where, --sort and --columns: names of a run's values, and conditions on them.

/** A named value of a run: a fact of its record, a metric, or a field of its config. */
export interface Field {
  readonly name: string
  /** "any" for a field of the config, whose type may differ from run to run; "words" for a list of texts. */
  readonly type: 'text' | 'number' | 'words' | 'any'
  /** The only values of a text, if they are known. */
  readonly values?: readonly string[]
  /** Null if the run lacks it. */
  readonly of: (run: Run) => unknown
  /** The value in a table for people; undefined to print it as it is. */
  readonly format?: (run: Run) => string
}

const facts: readonly Field[] = [
  { name: 'folder', type: 'text', of: ({ folder }) => folder },
  { name: 'name', type: 'text', of: ({ record }) => record.name },
  { name: 'seed', type: 'number', of: ({ record }) => record.seed },
  {
    name: 'status',
    type: 'text',
    values: ['running', 'completed', 'interrupted', 'failed', 'damaged'],
    of: ({ status }) => status,
  },
  { name: 'epoch', type: 'number', of: lastEpoch },
  { name: 'epochs', type: 'number', of: ({ record }) => record.epochs },
  { name: 'device', type: 'text', of: ({ record }) => record.device },
  {
    name: 'tags',
    type: 'words',
    of: ({ notes }) => (notes.tags.length === 0 ? null : notes.tags),
    format: ({ notes }) => notes.tags.join(', '),
  },
  { name: 'note', type: 'text', of: ({ notes }) => notes.note || null, format: ({ notes }) => notes.note },
]
const factNames = facts.map(({ name }) => name)

/** Returns the number of trained epochs. */
export function lastEpoch({ metrics }: Run): number {
  return metrics.at(-1)?.epoch ?? 0
}

/**
 * Returns the field of a name, or null if neither this version nor one of the runs has it: runs of another version may
 * have other config fields.
 */
export function fieldNamed(name: string, runs: readonly Run[]): Field | null {
  const fact = facts.find((each) => each.name === name)
  if (fact !== undefined) return fact
  if ((metrics as readonly string[]).includes(name)) {
    const of = (run: Run) => metricOf(run, name as Metric)
    return { name, type: 'number', of, format: (run) => formatMetric(name as Metric, of(run)) }
  }
  const ofConfig: Field = { name, type: 'any', of: ({ config }) => settingAt(config, name) ?? null }
  return isConfigPath(name) || runs.some((run) => ofConfig.of(run) !== null) ? ofConfig : null
}

/** Returns the field that a flag names. @throws a usage error if there is none. */
export function requireField(name: string, flag: string, runs: readonly Run[]): Field {
  const field = fieldNamed(name, runs)
  if (field !== null) return field
  throw usageError({ problem: `unknown name "${name}"`, subject: flag, hint: suggestionFor(name) })
}

/** Returns the field that --sort names, without its direction. */
export function sortField(sort: string, runs: readonly Run[]): Field {
  return requireField(sort.replace(/^-/, ''), '--sort', runs)
}

/** Returns the advice for an unknown name: the config path that ends with it, or the name that is nearest to it. */
function suggestionFor(name: string): string {
  const suggestion = nearestName(name, [...factNames, ...metrics], configPaths())
  if (suggestion !== null) return `Did you mean ${suggestion}?`
  return `Known are ${factNames.join(', ')}, ${metrics.join(', ')}, and config paths such as train.batchSize.`
}

/** A condition that was parsed, but whose name was not looked up yet: "optimizer.learningRate<0.01". */
export interface Expression {
  readonly text: string
  readonly name: string
  readonly operator: string
  /** As written, without quotes. */
  readonly word: string
  /** The word as JSON, or the word itself. */
  readonly literal: unknown
  /** The offset of each part's first character in the text. */
  readonly offsets: { readonly name: number; readonly operator: number; readonly word: number }
}

/** Every part may be missing, so that the pattern matches any text and shows which one is. */
const syntax =
  /^(\s*)([\w$][\w.$*-]*)?(\s*)(!=|<=|>=|=|<|>)?(\s*)("(?:[^"\\]|\\.)*"|\[.*\]|\{.*\}|[^\s<>=!"]+)?(\s*)/

/** Parses `name operator value`. @throws a usage error with the place of the mistake. */
export function parseExpression(text: string): Expression {
  const [whole, ...parts] = syntax.exec(text)!
  const [, name, , operator, , word] = parts
  const offsetOf = (part: number) => parts.slice(0, part).join('').length
  const offsets = { name: offsetOf(1), operator: offsetOf(3), word: offsetOf(5) }
  if (name === undefined)
    throw errorAt(
      text,
      offsets.name,
      'expected the name of a metric, a config path, name, seed, status or device',
    )
  if (operator === undefined) throw errorAt(text, offsets.operator, 'expected one of != <= >= = < >')
  const literal = literalOf(word ?? '')
  if (word === undefined)
    throw errorAt(text, offsets.word, isEquality(operator) ? 'expected a value' : 'expected a number')
  if (whole.length < text.length)
    throw errorAt(
      text,
      whole.length,
      'expected the end',
      'Give --where once for each condition; quote a value with spaces.',
    )
  if (!isEquality(operator) && !Number.isFinite(literal))
    throw errorAt(text, offsets.word, `expected a number after ${operator}`)
  return { text, name, operator, word: typeof literal === 'string' ? literal : word, literal, offsets }
}

function isEquality(operator: string): boolean {
  return operator === '=' || operator === '!='
}

const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

function literalOf(word: string): unknown {
  if (numberPattern.test(word)) return Number(word)
  try {
    return JSON.parse(word)
  } catch {
    return word
  }
}

/** A condition whose name was looked up. */
export interface Condition {
  readonly field: Field
  readonly holds: (value: unknown) => boolean
}

/** Looks up the name. @throws a usage error with the place of the mistake. */
export function conditionOf(expression: Expression, runs: readonly Run[]): Condition {
  const { text, name, operator, word, literal, offsets } = expression
  const field = fieldNamed(name, runs)
  if (field === null) throw errorAt(text, offsets.name, `unknown name "${name}"`, suggestionFor(name))
  if (field.type === 'words' && !isEquality(operator))
    throw errorAt(
      text,
      offsets.operator,
      `${name} is a list of words; = tests that one is present, != that it is absent`,
    )
  if (field.type === 'text' && !isEquality(operator))
    throw errorAt(text, offsets.operator, `${name} is text; use = or !=`)
  const values = runs.map((run) => field.of(run)).filter((value) => value !== null && value !== undefined)
  if (!isEquality(operator) && values.length > 0 && values.every((value) => typeof value !== 'number'))
    throw errorAt(text, offsets.operator, `${name} is not a number in these runs; use = or !=`)
  if (field.type === 'number' && typeof literal !== 'number' && literal !== null)
    throw errorAt(text, offsets.word, `${name} is a number`)
  if (field.values !== undefined && !field.values.includes(word))
    throw errorAt(text, offsets.word, `${name} is one of ${field.values.join(', ')}`)
  return { field, holds: (value) => holds(field, value, expression) }
}

function holds(field: Field, actual: unknown, { operator, word, literal }: Expression): boolean {
  if (isEquality(operator)) {
    const isEqual =
      isDeepStrictEqual(actual, literal) ||
      actual === word ||
      (field.type === 'words' && Array.isArray(actual) && actual.includes(word))
    return isEqual === (operator === '=')
  }
  if (typeof actual !== 'number' || typeof literal !== 'number') return false
  if (actual === literal) return operator.endsWith('=')
  return operator.startsWith('<') ? actual < literal : actual > literal
}

/** Returns a usage error that shows the expression with a caret below the place of the mistake. */
function errorAt(text: string, offset: number, problem: string, hint?: string) {
  return usageError({
    problem: `${problem}, at character ${offset + 1}`,
    subject: '--where',
    details: [escapeLine(text), `${' '.repeat(terminalWidth(escapeLine(text.slice(0, offset))))}^`],
    ...(hint !== undefined && { hint }),
  })
}

/** Which runs of a folder are listed, and in which order. */
export interface Selection {
  /** All must hold. */
  readonly where: readonly Expression[]
  /** A name, with a dash in front for the largest value first; undefined for the folder's order. */
  readonly sort: string | undefined
  /** Number of runs that are listed at most. */
  readonly top: number | undefined
}

/** Returns the selected runs in their order. @throws a usage error if an expression or a name is wrong. */
export function selectRuns(runs: readonly Run[], { where, sort, top }: Selection): readonly Run[] {
  const conditions = where.map((expression) => conditionOf(expression, runs))
  const order = sort === undefined ? null : orderOf(sort, runs)
  const kept = runs.filter((run) => conditions.every(({ field, holds }) => holds(field.of(run))))
  return (order === null ? kept : kept.toSorted(order)).slice(0, top)
}

/**
 * Returns the comparison of two runs by a field: numbers before texts, and runs without a value last in both directions.
 * Equal runs keep the folder's order.
 */
function orderOf(sort: string, runs: readonly Run[]): (a: Run, b: Run) => number {
  const { of } = sortField(sort, runs)
  const sign = sort.startsWith('-') ? -1 : 1
  return (left, right) => {
    const [a, b] = [of(left), of(right)]
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
    return rankOf(a) - rankOf(b) || sign * compareNaturally(textOf(a), textOf(b))
  }
}

function rankOf(value: unknown): number {
  if (typeof value === 'number') return 0
  return value === null ? 2 : 1
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
