/** The fields in which the configs of arms differ. */

import { type EigenLoss, eigenLossesOf, nameOf } from '../config/eigen-losses.js'
import { fieldsByPath } from '../config/paths.js'
import { type Config, configSchema } from '../config/schema.js'
import { configJson } from '../config/text.js'

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
export function formulaNames(configs: readonly Config[]): ReadonlyMap<string, string> {
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
  const names = formulaNames(configs)
  const all = configs.map((config) => fieldsOf(config, names))
  const paths = differingPaths(all)
  const varying = new Set(paths.filter((path) => new Set(valuesAt(all, path)).size > 1))
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
      .map((path) => `${shortPath(path)}=${shortValue(fields.get(path)!, valuesAt(all, path))}`)
      .join(' ')
  })
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
