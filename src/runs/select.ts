import { usageError } from '../errors.js'
import { compareNaturally } from '../text/natural-order.js'
import { conditionOf, type Expression } from './condition.js'
import { type Field, fieldNamed, suggestionFor } from './fields.js'
import type { Run } from './read.js'

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
  const kept = runs.filter((run) => conditions.every((holds) => holds(run)))
  return (order === null ? kept : [...kept].sort(order)).slice(0, top)
}

/** Returns the field that --sort names, without its direction. */
export function sortField(sort: string, runs: readonly Run[]): Field {
  return requireField(sort.replace(/^-/, ''), '--sort', runs)
}

/** Returns the field that a flag names. @throws a usage error if there is none. */
export function requireField(name: string, flag: string, runs: readonly Run[]): Field {
  const field = fieldNamed(name, runs)
  if (field !== null) return field
  throw usageError({ problem: `unknown name "${name}"`, subject: flag, hint: suggestionFor(name) })
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
    const rank = rankOf(a) - rankOf(b)
    if (rank !== 0) return rank
    return sign * compareValues(a, b)
  }
}

function rankOf(value: unknown): number {
  if (typeof value === 'number') return 0
  return value === null ? 2 : 1
}

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return compareNaturally(textOf(a), textOf(b))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
