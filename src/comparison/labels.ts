/** The names of arms, and the settings that distinguish them. */
import { basename, dirname, resolve } from 'node:path'
import { type GridValue, trialName, valueName } from '../config/arm-name.js'
import { valueAt } from '../config/json.js'
import type { Config } from '../config/schema.js'
import type { Arm, ArmRuns, Setting } from './comparison.js'
import { differenceLabels, valueText } from './differences.js'
import { type SweepPlace, shortPaths, sweptPaths, variedPaths } from './sweep-arms.js'

/** Returns the arms, each of which has a run that can be read, with their labels. */
export function labelArms(
  arms: readonly ArmRuns[],
  labels: ReadonlyMap<ArmRuns, string>,
  baseline: ArmRuns,
): readonly Arm[] {
  const configs = arms.map(configOf)
  const settings = arms.map(settingsOf)
  const swept = new Set(settings.flatMap((each) => each.map(({ path }) => path)))
  const differences = differenceLabels(configs, arms.indexOf(baseline), swept)
  return arms.map((arm, index) => ({
    ...arm,
    label: labels.get(arm) || configs[index]!.name,
    baseline: arm === baseline,
    difference: differences[index]!,
    settings: settings[index]!,
    config: configs[index]!,
  }))
}

/** Returns an arm on its own with its label. */
export function labelArm(arm: ArmRuns): Arm {
  return labelArms([arm], new Map([[arm, armLabels([arm])[0]!]]), arm)[0]!
}

/** Returns the config of the arm's runs, which differ only in their seeds. */
function configOf({ runs, leftOut }: ArmRuns): Config {
  return (runs[0] ?? leftOut[0])!.config
}

function settingsOf(arm: ArmRuns): readonly Setting[] {
  const { place } = arm
  if (place === null) return []
  const names = shortPaths(variedPaths(place.sweep))
  return sweptPaths(place).map((path) => ({
    path,
    name: names.get(path)!,
    value: valueAt(configOf(arm), path.split('.')),
  }))
}

/**
 * Returns the name of each arm. Names that several arms share get the names of parent folders in front, as many as make
 * them distinct. The name of the root folder is "".
 */
export function armLabels(arms: readonly Pick<ArmRuns, 'name' | 'place'>[]): readonly string[] {
  const names = arms.map(nameOf)
  const labels = names.map(({ name }) => name)
  for (let depth = 1; names.some(({ parents }) => parents.length >= depth); depth++) {
    const counts = new Map<string, number>()
    for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
    if (counts.size === labels.length) break
    for (const [index, { name, parents }] of names.entries())
      if (counts.get(labels[index]!)! > 1) labels[index] = [...parents.slice(-depth), name].join('/')
  }
  return labels
}

/** Returns the name of an arm of a sweep, or else the folder's name; "eigen/seed-0" for a run of an arm. */
function nameOf({ name, place }: Pick<ArmRuns, 'name' | 'place'>) {
  const folder = resolve(name)
  const last = basename(folder)
  const parents = dirname(folder).split('/').filter(Boolean)
  if (place !== null) return { name: nameInSweep(place), parents }
  if (!/^seed-\d+$/.test(last) || parents.length === 0) return { name: last, parents }
  return { name: `${parents.at(-1)}/${last}`, parents: parents.slice(0, -1) }
}

/** Returns "eigen weight=0.1". */
export function nameInSweep(place: SweepPlace): string {
  const names = shortPaths(variedPaths(place.sweep))
  const grid = place.grid.map((setting) => `${names.get(setting.path)}=${settingText(setting)}`)
  return [place.variant, ...grid, ...(place.trial === null ? [] : [trialName(place.trial)])].join(' ')
}

/** Returns a setting's value as text, a list or an object as folder names have it. */
export function settingText({ path, value }: GridValue): string {
  return typeof value === 'object' && value !== null ? valueName({ path, value }) : valueText(value)
}
