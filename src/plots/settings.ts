/**
 * The settings in which arms differ: the axes of the pictures of grids and searches. They are the settings that the arms'
 * sweep varies. Arms without a sweep, and variants that differ in their configs alone, are compared by their configs.
 */
import { basename } from 'node:path'
import type { Arm, Comparison } from '../comparison/comparison.js'
import { differingFields, settingText } from '../comparison/labels.js'
import { shortPaths } from '../comparison/sweep-arms.js'
import { groupBy } from '../group-by.js'
import { compareNaturally } from '../text/names.js'
import { apart } from './chart.js'

/** A config path and its values in the arms. */
export interface SettingAxis {
  /** "loss.eigen.weight" */
  readonly path: string
  /** "weight", as in the arms' labels. */
  readonly name: string
  /** The distinct values, ascending, lists by their numbers; words in the order of the arms. */
  readonly values: readonly (number | string)[]
  readonly isNumeric: boolean
  /** Whether the numbers are spaced more evenly by ratio than by difference. */
  readonly log: boolean
}

/** Arms that differ only in the settings of the axes. */
export interface Family {
  /** "top-k" or "top-k learningRate=0.003"; "" if there is only one family. */
  readonly name: string
  readonly members: readonly ArmWithSettings[]
}

/** An arm with its settings. */
export interface ArmWithSettings {
  readonly arm: Arm
  /** The arm's config without the settings of its sweep. */
  readonly variant: string
  /** Whether its values are those of its sweep, so that arms of different variants can have the same. */
  readonly ofSweep: boolean
  /** Its values by config path. */
  readonly values: ReadonlyMap<string, number | string>
}

export interface Settings {
  /** Axes along which arms differ in nothing else, the one with the most values first: a grid. */
  readonly grid: readonly SettingAxis[]
  /** Axes along which the arms' other settings vary, too: a search. */
  readonly search: readonly SettingAxis[]
  readonly members: readonly ArmWithSettings[]
  /** The short names of all settings by their paths. */
  readonly names: ReadonlyMap<string, string>
}

// With fewer values, an axis is no series.
const fewestValues = { grid: 3, search: 5 }

export function settingsOfArms({ arms, sweep }: Pick<Comparison, 'arms' | 'sweep'>): Settings {
  const swept = sweep !== null && arms.some(({ settings }) => settings.length > 0)
  const values = swept ? arms.map(valuesOfSweep) : valuesOfConfigs(arms)
  const members = arms.map((arm, index) => ({
    arm,
    // Without a plan, the variant is the part of the folder's name before the values of the grid.
    variant: arm.place?.variant ?? basename(arm.name).split(',')[0]!,
    ofSweep: swept,
    values: values[index]!,
  }))
  const paths = [...new Set(members.flatMap(({ values }) => [...values.keys()]))]
  const names = swept
    ? new Map(arms.flatMap(({ settings }) => settings.map(({ path, name }) => [path, name])))
    : shortPaths(paths)
  const axes = paths
    .map((path) => axisOf(path, names.get(path)!, members))
    .filter(({ values, path }) => values.length > 1 && variesWithinVariants(path, members))
  const inGrid = axes.filter((axis) => axis.isNumeric && isGridAxis(axis, members))
  const grid = [...inGrid].sort((a, b) => b.values.length - a.values.length)
  const others = axes.filter((axis) => !inGrid.includes(axis))
  const searched = others.some(({ isNumeric, values }) => isNumeric && values.length >= fewestValues.search)
  return {
    grid: (grid[0]?.values.length ?? 0) < fewestValues.grid ? [] : grid,
    search: searched ? others : [],
    members,
    names,
  }
}

/** Returns the values of an arm's sweep; lists and objects as in its label. */
function valuesOfSweep({ settings }: Arm): ArmWithSettings['values'] {
  const known = settings.filter(({ value }) => value !== undefined)
  return new Map(
    known.map((setting) => [
      setting.path,
      typeof setting.value === 'number' ? setting.value : settingText(setting),
    ]),
  )
}

/** Returns for each arm its values of the fields in which the configs differ. */
function valuesOfConfigs(arms: readonly Arm[]): readonly ArmWithSettings['values'][] {
  const { paths, fields } = differingFields(arms.map(({ config }) => config))
  return fields.map(
    (each) =>
      new Map(paths.filter((path) => each.has(path)).map((path) => [path, numberOrText(each.get(path)!)])),
  )
}

/** Returns the value of a config field, a number as a number, so that it has a place on an axis. */
export function numberOrText(value: string): number | string {
  return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
}

function axisOf(path: string, name: string, members: readonly ArmWithSettings[]): SettingAxis {
  const values = [...new Set(members.flatMap((member) => member.values.get(path) ?? []))]
  const numbers = values.filter((value) => typeof value === 'number')
  const isNumeric = numbers.length === values.length
  const texts = values.map(String)
  const sorted = isNumeric
    ? numbers.sort((a, b) => a - b)
    : texts.every(isListOfNumbers)
      ? texts.sort(compareNaturally)
      : texts
  return { path, name, values: sorted, isNumeric, log: isNumeric && isLogSpaced(numbers) }
}

function isListOfNumbers(text: string): boolean {
  return text.split('-').every((part) => typeof numberOrText(part) === 'number')
}

/** Returns whether the logarithms of ascending numbers are spread more evenly than the numbers. Zero is left out. */
function isLogSpaced(numbers: readonly number[]): boolean {
  const positive = numbers.filter((value) => value > 0)
  const [low, high] = [positive[0], positive.at(-1)]
  if (low === undefined || high! / low < 8 || numbers[0]! < 0 || positive.length < 3) return false
  const middle = positive[Math.floor(positive.length / 2)]!
  const byRatio = Math.abs(Math.log(middle / low) / Math.log(high! / low) - 0.5)
  const byDifference = Math.abs((middle - low) / (high! - low) - 0.5)
  return byRatio < byDifference
}

/** Returns false for settings in which only the variants differ. Arms that no sweep made are one variant. */
function variesWithinVariants(path: string, members: readonly ArmWithSettings[]): boolean {
  const variants = [...groupBy(members, ({ variant }) => variant).values()]
  const varies = (group: readonly ArmWithSettings[]) =>
    new Set(group.map(({ values }) => values.get(path))).size > 1
  return variants.length === members.length || variants.some(varies)
}

/** Returns whether most arms have others that differ from them only in this setting and take most of its values. */
function isGridAxis({ path, values }: SettingAxis, members: readonly ArmWithSettings[]): boolean {
  const having = members.filter((member) => member.values.has(path))
  const inSeries = groupByOthers(having, [path]).filter(
    (group) => group.length > 1 && 2 * group.length >= values.length,
  )
  return 2 * inSeries.flat().length >= having.length
}

/** Groups arms that differ only in the settings at some paths. */
function groupByOthers(
  members: readonly ArmWithSettings[],
  paths: readonly string[],
): readonly (readonly ArmWithSettings[])[] {
  const groups = groupBy(members, ({ values, ofSweep, variant }) => {
    const others = [...values].filter(([path]) => !paths.includes(path))
    return JSON.stringify([ofSweep ? variant : null, others.sort(([a], [b]) => (a < b ? -1 : 1))])
  })
  return [...groups.values()]
}

/** Returns the families of arms along some axes, in the order of the arms. Arms that lack one of the axes are in none. */
export function familiesAlong(axes: readonly SettingAxis[], { members, names }: Settings): readonly Family[] {
  const paths = axes.map(({ path }) => path)
  const having = members.filter(({ values }) => paths.every((path) => values.has(path)))
  const groups = groupByOthers(having, paths).filter((group) => group.length > 1)
  return groups.map((group) => ({ name: familyName(group, groups, paths, names), members: group }))
}

/** Returns the variant if the arms share one, and the other settings in which the families of a variant differ. */
function familyName(
  group: readonly ArmWithSettings[],
  groups: readonly (readonly ArmWithSettings[])[],
  paths: readonly string[],
  names: Settings['names'],
): string {
  if (groups.length === 1) return ''
  const variants = new Set(group.map((member) => member.variant))
  const [variant] = variants.size === 1 ? variants : []
  const isOnly = new Set(groups.flat().map((member) => member.variant)).size === 1
  const peers = groups.filter(([first]) => variant === undefined || first!.variant === variant)
  const differing = [...group[0]!.values.keys()].filter(
    (path) => !paths.includes(path) && new Set(peers.map(([first]) => first!.values.get(path))).size > 1,
  )
  const settings = differing.map((path) => `${names.get(path)}=${group[0]!.values.get(path)}`)
  return [...(variant === undefined || isOnly ? [] : [variant]), ...settings].join(' ')
}

/** Returns a scale's position of a value: a logarithmic axis has 0 one step left of its smallest value. */
export function positionOn({ values, log }: SettingAxis, value: number): number {
  if (!log || value !== 0) return value
  const positive = (values as readonly number[]).filter((each) => each > 0)
  const [low, high] = [positive[0]!, positive.at(-1)!]
  return low / Math.max(2, (high / low) ** (1 / (positive.length - 1)))
}

/** Returns the axis of a numeric setting, with its values as ticks if they are at most `mostTicks`. */
export function encodingOf(axis: SettingAxis, mostTicks: number) {
  const values = axis.values as readonly number[]
  const hasZero = axis.log && values[0] === 0
  const ticks =
    values.length <= mostTicks
      ? values.map((value) => positionOn(axis, value))
      : axis.log
        ? roundValues(values.find((value) => value > 0)!, values.at(-1)!, true)
        : undefined
  const text = "format(datum.value, '~g')"
  return {
    axis: {
      title: axis.path,
      grid: false,
      ...(ticks !== undefined && { values: ticks }),
      ...apart,
      labelExpr: hasZero ? `datum.value < ${0.999 * values[1]!} ? '0' : ${text}` : text,
    },
    log: axis.log,
  }
}

/** Returns round numbers between two bounds: powers of ten and their triples on a logarithmic axis. */
export function roundValues(low: number, high: number, log: boolean): readonly number[] {
  if (log && low > 0) {
    const powers = Array.from({ length: 40 }, (_, index) => index - 20)
    const round = powers.flatMap((power) => [10 ** power, 3 * 10 ** power])
    const inside = round.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
    if (inside.length >= 2) return inside
  }
  const rough = (high - low) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= 0.7 * rough)!
  const first = Math.ceil(low / step - 1e-9)
  return Array.from(
    { length: Math.floor(high / step + 1e-9) - first + 1 },
    (_, index) => (first + index) * step,
  )
}
