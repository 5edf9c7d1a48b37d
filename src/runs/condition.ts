import { isDeepStrictEqual } from 'node:util'
import { usageError } from '../errors.js'
import { escapeLine } from '../text/format.js'
import { terminalWidth } from '../text/table.js'
import { type Field, fieldNamed, suggestionFor } from './fields.js'
import type { Run } from './read.js'

const operators = ['!=', '<=', '>=', '=', '<', '>'] as const
type Operator = (typeof operators)[number]

/** A part of an expression, with the offset of its first character. */
interface Part<Value> {
  readonly value: Value
  readonly offset: number
}

/** A condition that was parsed, but whose name was not looked up yet: "optimizer.learningRate<0.01". */
export interface Expression {
  readonly text: string
  readonly name: Part<string>
  readonly operator: Part<Operator>
  /** As written, without quotes. */
  readonly word: Part<string>
  /** The word as JSON, or the word itself. */
  readonly literal: unknown
}

export type Condition = (run: Run) => boolean

const namePattern = /^[\w$][\w.$*-]*/
const wordPattern = /^(?:"(?:[^"\\]|\\.)*"|\[.*\]|\{.*\}|[^\s<>=!"]+)/

/** Parses `name operator value`. @throws a usage error with the place of the mistake. */
export function parseExpression(text: string): Expression {
  let offset = 0
  const skipSpace = () => {
    offset += /^\s*/.exec(text.slice(offset))![0].length
  }
  const take = <Found extends string>(found: Found | undefined, expected: string): Part<Found> => {
    if (found === undefined || found === '') throw errorAt(text, offset, `expected ${expected}`)
    const part = { value: found, offset }
    offset += found.length
    skipSpace()
    return part
  }
  const rest = () => text.slice(offset)
  skipSpace()
  const name = take(
    namePattern.exec(rest())?.[0],
    'the name of a metric, a config path, name, seed, status or device',
  )
  const operator = take(
    operators.find((each) => rest().startsWith(each)),
    `one of ${operators.join(' ')}`,
  )
  const isOrder = operator.value !== '=' && operator.value !== '!='
  const word = take(wordPattern.exec(rest())?.[0], isOrder ? 'a number' : 'a value')
  if (offset < text.length)
    throw errorAt(
      text,
      offset,
      'expected the end',
      'Give --where once for each condition; quote a value with spaces.',
    )
  const literal = literalOf(word.value)
  if (isOrder && (typeof literal !== 'number' || !Number.isFinite(literal)))
    throw errorAt(text, word.offset, `expected a number after ${operator.value}`)
  const bare = typeof literal === 'string' ? literal : word.value
  return { text, name, operator, word: { value: bare, offset: word.offset }, literal }
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

/** Looks up the name. @throws a usage error with the place of the mistake. */
export function conditionOf(expression: Expression, runs: readonly Run[]): Condition {
  const { text, name, operator, word, literal } = expression
  const field = fieldNamed(name.value, runs)
  if (field === null)
    throw errorAt(text, name.offset, `unknown name "${name.value}"`, suggestionFor(name.value))
  const isEquality = operator.value === '=' || operator.value === '!='
  if (field.type === 'words' && !isEquality)
    throw errorAt(
      text,
      operator.offset,
      `${field.name} is a list of words; = tests that one is present, != that it is absent`,
    )
  if (field.type === 'text' && !isEquality)
    throw errorAt(text, operator.offset, `${field.name} is text; use = or !=`)
  const values = runs.map((run) => field.of(run)).filter((value) => value !== null && value !== undefined)
  if (!isEquality && values.length > 0 && values.every((value) => typeof value !== 'number'))
    throw errorAt(text, operator.offset, `${field.name} is not a number in these runs; use = or !=`)
  if (field.type === 'number' && typeof literal !== 'number' && literal !== null)
    throw errorAt(text, word.offset, `${field.name} is a number`)
  if (field.values !== undefined && !field.values.includes(word.value))
    throw errorAt(text, word.offset, `${field.name} is one of ${field.values.join(', ')}`)
  return (run) => holds(field, run, expression)
}

function holds(field: Field, run: Run, { operator, word, literal }: Expression): boolean {
  const actual = field.of(run)
  const isEqual =
    isDeepStrictEqual(actual, literal) ||
    (typeof actual === 'string' && actual === word.value) ||
    (field.type === 'words' && Array.isArray(actual) && actual.includes(word.value))
  if (operator.value === '=') return isEqual
  if (operator.value === '!=') return !isEqual
  if (typeof actual !== 'number' || typeof literal !== 'number') return false
  switch (operator.value) {
    case '<':
      return actual < literal
    case '<=':
      return actual <= literal
    case '>':
      return actual > literal
    case '>=':
      return actual >= literal
  }
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
