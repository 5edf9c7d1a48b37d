/**
 * The names of a sweep's arms, which are also their folders: `eigen,train.batchSize=64` or `eigen,trial-007`. The plan of
 * a sweep writes them, and a comparison reads them.
 */

import { createHash } from 'node:crypto'

/** A value that a grid sets at a config path. */
export interface GridValue {
  readonly path: string
  readonly value: unknown
}

/** A trial is named by its number, because its values would make a long name. Null stands for no search. */
export function armName(variant: string, grid: readonly GridValue[], trial: number | null): string {
  const values = grid.map((each) => `${each.path}=${valueName(each)}`)
  return [variant, ...values, ...(trial === null ? [] : [trialName(trial)])].join(',')
}

/** Pads the number with zeros, so that plain `ls` sorts the first 999 trials. */
export function trialName(trial: number): string {
  return `trial-${String(trial).padStart(3, '0')}`
}

/** Characters of a value in the name of a folder. */
const longestValue = 200

/**
 * Keeps numbers and words, and replaces characters that shells or file systems treat specially: [784,2] → 784-2. A checksum
 * follows a formula, whose operators are such characters, and replaces the end of a long text.
 */
export function valueName({ path, value }: GridValue): string {
  if (typeof value === 'number') return String(value)
  const text = namedText(value)
  const plain = text.replace(/[^A-Za-z0-9._+-]+/g, '-').replace(/^-+|-+$/g, '')
  const isFormula = path.endsWith('.formula') || text.includes('"formula":')
  if (!isFormula && plain.length <= longestValue) return plain
  const sum = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${plain.slice(0, longestValue - 9)}-${sum}`
}

/** Returns a value as text, in which an eigen loss with a name of its own is only that name. */
export function namedText(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, each: { readonly name?: unknown } | null) =>
    typeof each?.name === 'string' ? each.name : each,
  )
}

/** The parts of an arm's name. */
export interface ArmParts {
  readonly variant: string
  /** The grid's values, in the order of the grid; without those that the variant does not take. */
  readonly grid: readonly GridValue[]
  /** Null if the arm is not a trial of a search. */
  readonly trial: number | null
}

/** A sweep's grid: values by config path. */
export type Grid = ReadonlyMap<string, readonly unknown[]>

/** Returns the parts of an arm's name, null if it is not an arm of the grid: a folder that was renamed, for example. */
export function armParts(name: string, grid: Grid): ArmParts | null {
  const [variant, ...rest] = name.split(',')
  const last = /^trial-(\d+)$/.exec(rest.at(-1) ?? '')
  const settings = last === null ? rest : rest.slice(0, -1)
  const values = settings.map((setting) => gridValue(setting, grid))
  if (values.includes(null)) return null
  return {
    variant: variant!,
    grid: values.flatMap((value) => value ?? []),
    trial: last === null ? null : Number(last[1]),
  }
}

function gridValue(setting: string, grid: Grid): GridValue | null {
  const equals = setting.indexOf('=')
  const [path, name] = [setting.slice(0, equals), setting.slice(equals + 1)]
  const value = grid.get(path)?.find((each) => valueName({ path, value: each }) === name)
  return value === undefined ? null : { path, value }
}

/** Returns the name of the arm that a sweep file's `baseline` names: an arm or, by its variant, the variant's first arm. */
export function baselineArm(baseline: string, arms: readonly string[]): string | undefined {
  return arms.find((arm) => arm === baseline) ?? arms.find((arm) => arm.split(',')[0] === baseline)
}
