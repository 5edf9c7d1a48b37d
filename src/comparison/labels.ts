/** The names of arms, and the settings that distinguish them. */
import { basename, dirname, resolve } from 'node:path'
import { type GridValue, trialName, valueName } from '../config/arm-name.js'
import { type EigenLoss, eigenLossesOf, nameOf } from '../config/eigen-losses.js'
import { fieldsByPath, latentPath, settingAt } from '../config/paths.js'
import { type Config, configJson, configSchema } from '../config/schema.js'
import { groupBy } from '../group-by.js'
import { partsOf, withoutShared } from '../text/shorten.js'
import type { Arm, ArmNames, ArmRuns, Setting } from './comparison.js'
import { type SweepPlace, shortPaths, sweptPaths, variedPaths } from './sweep-arms.js'

/** Returns the arms, each of which has a run that can be read, with their labels. */
export function labelArms(
  arms: readonly ArmRuns[],
  names: ReadonlyMap<ArmRuns, ArmNames>,
  baseline: ArmRuns,
): readonly Arm[] {
  const configs = arms.map(configOf)
  const settings = arms.map(settingsOf)
  const swept = new Set(settings.flatMap((each) => each.map(({ path }) => path)))
  const differences = differenceLabels(configs, arms.indexOf(baseline), swept)
  return arms.map((arm, index) => ({
    ...arm,
    label: names.get(arm)!.label || configs[index]!.name,
    shown: names.get(arm)!.shown || configs[index]!.name,
    baseline: arm === baseline,
    difference: differences[index]!,
    settings: settings[index]!,
    config: configs[index]!,
  }))
}

/** Returns an arm on its own with its label. */
export function labelArm(arm: ArmRuns): Arm {
  const label = armLabels([arm])[0]!
  return labelArms([arm], new Map([[arm, { label, shown: label }]]), arm)[0]!
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
    value: settingAt(configOf(arm), path),
  }))
}

/**
 * Returns the name of each arm. Names that several arms share get the names of parent folders in front, as many as make
 * them distinct. The name of the root folder is "".
 */
export function armLabels(arms: readonly Pick<ArmRuns, 'name' | 'place'>[]): readonly string[] {
  const names = arms.map(armName)
  const labels = names.map(({ name }) => name)
  for (let depth = 1; names.some(({ parents }) => parents.length >= depth); depth++) {
    const arms = groupBy(labels, (label) => label)
    if (arms.size === labels.length) break
    for (const [index, { name, parents }] of names.entries())
      if (arms.get(labels[index]!)!.length > 1) labels[index] = [...parents.slice(-depth), name].join('/')
  }
  return labels
}

/**
 * Returns a function that finds the arms which a name means: the one of its label, with or without what all labels share, of
 * its folder or of the folder's name, or else all whose labels have its parts in this order. In a part, "…" stands for any text.
 */
export function armFinder<A extends Pick<ArmRuns, 'name' | 'place'>>(arms: readonly A[]) {
  const labels = armLabels(arms)
  const { rests } = withoutShared(labels)
  return (name: string): readonly A[] => {
    const exact =
      arms[labels.indexOf(name)] ??
      arms.find((_, index) => rests.get(labels[index]!) === name) ??
      arms.find((arm) => arm.name === name) ??
      arms.find((arm) => basename(arm.name) === name)
    if (exact !== undefined) return [exact]
    const settings = partsOf(name).filter((_, index) => index % 2 === 0)
    const patterns = settings.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*'))
    const shown = new RegExp(`(^|[ ,/])${patterns.join('[ ,/](.*[ ,/])?')}([ ,/]|$)`)
    return arms.filter((_, index) => shown.test(labels[index]!))
  }
}

/** Returns the name of an arm of a sweep, or else the folder's name; "eigen/seed-0" for a run of an arm. */
function armName({ name, place }: Pick<ArmRuns, 'name' | 'place'>) {
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

/** A config's fields by their paths: "loss.eigen.kind" → "top-k". A list is a single value. */
export type Fields = ReadonlyMap<string, string>

// Names and places of runs, and names of formulas, in which arms may differ without being different experiments.
const ignored = new Set(['$schema', 'name', 'seed', 'device', 'loss.eigen.name'])

const formulaPath = 'loss.eigen.formula'

/**
 * Returns the fields of a config. Newer fields at the value of their absence are left out, as older configs lack them.
 * @param names of formulas by their texts, which stand for them
 */
export function fieldsOf(config: Config, names: ReadonlyMap<string, string> = new Map()): Fields {
  const fields = new Map(
    [...fieldsByPath(configJson(config))]
      .filter(([path]) => !ignored.has(path))
      .map(([path, value]) => [path, valueText(value)]),
  )
  const name = names.get(fields.get(formulaPath) ?? '')
  return name === undefined ? fields : new Map([...fields, [formulaPath, name]])
}

/** Returns the names of the formulas in configs by their texts, without names that several formulas have. */
function formulaNames(configs: readonly Config[]): ReadonlyMap<string, string> {
  const losses = configs.flatMap(({ loss }) => eigenLossesOf(loss.eigen))
  const names = new Map(
    losses.flatMap((each) =>
      each.kind === 'formula' && each.name !== undefined ? [[each.formula, each.name]] : [],
    ),
  )
  const all = [...names.values()]
  return new Map([...names].filter(([, name]) => all.indexOf(name) === all.lastIndexOf(name)))
}

export function valueText(value: unknown): string {
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) return value.join('-')
  if (Array.isArray(value)) return JSON.stringify(value)
  return value === null ? 'none' : String(value)
}

/** Returns the paths whose values are not the same everywhere. A missing field counts as a different value. */
export function differingPaths(fields: readonly Fields[]): readonly string[] {
  const paths = new Set(fields.flatMap((each) => [...each.keys()]))
  return [...paths].filter((path) => new Set(fields.map((each) => each.get(path))).size > 1)
}

/** Returns the paths in which configs differ, and the fields of each config, in which names stand for formulas. */
export function differingFields(configs: readonly Config[]) {
  const names = formulaNames(configs)
  const fields = configs.map((config) => fieldsOf(config, names))
  return { paths: differingPaths(fields), fields }
}

/**
 * Returns for each config the settings that distinguish it, or "" if there are none. For the baseline, these are its values
 * of the fields in which others differ; for the others, the values that differ from the baseline's. Fields in `swept` are in
 * all of them. A field that only some configs have, such as `loss.eigen.k`, is left out if it has its default.
 * @param baseline its index
 */
export function differenceLabels(
  configs: readonly Config[],
  baseline = 0,
  swept: ReadonlySet<string> = new Set(),
): readonly string[] {
  const { fields } = differingFields(configs)
  const all = swept.has(latentPath) ? fields.map(withLatentApart) : fields
  const paths = differingPaths(all)
  const values = new Map(paths.map((path) => [path, valuesAt(all, path)]))
  const varying = new Set(paths.filter((path) => new Set(values.get(path)).size > 1))
  return all.map((fields, index) => {
    const defaults = defaultFieldsOf(configs[index]!)
    const distinguishing = paths.filter((path) => {
      const value = fields.get(path)
      if (value === undefined) return false
      if (swept.has(path)) return true
      if (index !== baseline && value === all[baseline]!.get(path)) return false
      return (
        varying.has(path) || path.endsWith('.eigen') || value !== defaults.get(path) || path.endsWith('.kind')
      )
    })
    return distinguishing
      .map((path) => `${shortPath(path)}=${shortValue(fields.get(path)!, values.get(path)!)}`)
      .join(' ')
  })
}

/** Returns the fields with the latent size apart from the other widths. */
function withLatentApart(fields: Fields): Fields {
  return new Map(
    [...fields].flatMap(([path, value]): readonly (readonly [string, string])[] => {
      if (path !== 'model.widths') return [[path, value]]
      const last = value.lastIndexOf('-')
      return [
        [path, value.slice(0, last)],
        [latentPath, value.slice(last + 1)],
      ]
    }),
  )
}

/**
 * Returns the kinds of a list of eigen losses ("kl-diagonal+kl-normal"), or the names of its formulas, unless another list has
 * the same ones; other values as they are.
 */
function shortValue(value: string, all: readonly string[]): string {
  const kinds = kindsIn(value)
  return kinds === null || all.some((other) => other !== value && kindsIn(other) === kinds) ? value : kinds
}

function kindsIn(value: string): string | null {
  if (!value.startsWith('[{')) return null
  return (JSON.parse(value) as readonly EigenLoss[]).map(nameOf).join('+')
}

function valuesAt(all: readonly Fields[], path: string): readonly string[] {
  return all.flatMap((fields) => fields.get(path) ?? [])
}

/** Returns the fields of a config with the same kinds of eigen loss and optimiser, and defaults everywhere else. */
function defaultFieldsOf({ loss, optimizer }: Config): Fields {
  const kinds = eigenLossesOf(loss.eigen).map(({ kind }) => ({ kind }))
  const eigen = Array.isArray(loss.eigen) ? kinds : (kinds[0] ?? null)
  const defaults = { name: 'defaults', loss: { eigen }, optimizer: { kind: optimizer.kind } }
  const { data } = configSchema.safeParse(defaults)
  return data === undefined ? new Map() : fieldsOf(data)
}

/** "loss.eigen.kind" → "eigen", "loss.eigen.k" → "k", "train.batchSize" → "batchSize". */
function shortPath(path: string): string {
  return path
    .replace(/^(?!spectrum)\w+\./, '')
    .replace(/\.kind$/, '')
    .replace(/^eigen\./, '')
}
