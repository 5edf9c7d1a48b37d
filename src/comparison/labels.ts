import { type Config, configSchema } from '../config/schema.js'

/** A config's fields by their paths: "loss.eigen.kind" → top-k. Lists are single values. */
export type Fields = ReadonlyMap<string, string>

// What names a run or says where it was made, and is never what an arm is about.
const aside = new Set(['$schema', 'name', 'seed', 'device'])

export function fieldsOf(config: unknown, path = ''): Fields {
  if (config === null || typeof config !== 'object' || Array.isArray(config)) {
    return new Map([[path, shown(config)]])
  }
  const entries = Object.entries(config).filter(([key]) => path !== '' || !aside.has(key))
  return new Map(
    entries.flatMap(([key, value]) => [...fieldsOf(value, path === '' ? key : `${path}.${key}`)]),
  )
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.join('-')
  return value === null ? 'none' : String(value)
}

/** The paths whose values are not the same in all; a field that one lacks counts as other. */
export function differingPaths(fields: readonly Fields[]): readonly string[] {
  const paths = new Set(fields.flatMap((each) => [...each.keys()]))
  return [...paths].filter((path) => new Set(fields.map((each) => each.get(path))).size > 1)
}

/**
 * What sets each config apart, in few words: of the baseline (the first) its values where the others differ, of the
 * others what is not as in the baseline. "" where that is nothing. What any config of that kind has by default is left out.
 */
export function differenceLabels(configs: readonly Config[]): readonly string[] {
  const all = configs.map((config) => fieldsOf(config))
  const paths = differingPaths(all)
  const varying = new Set(paths.filter((path) => new Set(valuesAt(all, path)).size > 1))
  return all.map((fields, index) => {
    const usual = fieldsOf(defaultsLike(configs[index]!))
    const told = paths.filter((path) => {
      const value = fields.get(path)
      if (value === undefined || (index > 0 && value === all[0]!.get(path))) return false
      return (
        varying.has(path) || path.endsWith('.eigen') || value !== usual.get(path) || path.endsWith('.kind')
      )
    })
    return told.map((path) => `${shortPath(path)}=${fields.get(path)}`).join(' ')
  })
}

function valuesAt(all: readonly Fields[], path: string): readonly string[] {
  return all.flatMap((fields) => fields.get(path) ?? [])
}

/** A config in which only the kind of eigen loss was chosen. */
function defaultsLike({ loss }: Config): unknown {
  const eigen = loss.eigen === null ? null : { kind: loss.eigen.kind }
  const { data } = configSchema.safeParse({ name: 'defaults', loss: { eigen } })
  return data ?? {}
}

/** "loss.eigen.kind" → "eigen", "loss.eigen.k" → "k", "train.batchSize" → "batchSize". */
function shortPath(path: string): string {
  return path
    .replace(/^(?!spectrum)\w+\./, '')
    .replace(/\.kind$/, '')
    .replace(/^eigen\./, '')
}

/** A name for each arm that no other has: its difference, or its folder where that does not tell. */
export function uniqueLabels(differences: readonly string[], names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const each of differences) counts.set(each, (counts.get(each) ?? 0) + 1)
  return differences.map((difference, index) => {
    const name = names[index]!
    if (difference === '') return name
    return counts.get(difference)! > 1 ? `${name}: ${difference}` : difference
  })
}
