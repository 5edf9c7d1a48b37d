import { jsonSchema } from './schema.js'

/** A JSON Schema, as far as it leads to fields. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
}

/** Fields of config files that no config has. */
const ofFiles: readonly string[] = ['$schema', 'extends']

/** Returns every config path of this version, objects included: "loss.eigen", "loss.eigen.kind". A list's elements are "*". */
export function configPaths(): readonly string[] {
  return [...new Set(pathsIn(jsonSchema(), ''))].filter((path) => !ofFiles.includes(path))
}

/** True if a config of this version can have a field at a path: "model.widths.0" is the first element of a list. */
export function isConfigPath(path: string): boolean {
  return configPaths().includes(path.replace(/\.\d+(?=\.|$)/g, '.*'))
}

function pathsIn(
  { properties = {}, anyOf = [], oneOf = [], items }: Schema,
  path: string,
): readonly string[] {
  const within = (key: string) => (path === '' ? key : `${path}.${key}`)
  const children = [...Object.entries(properties), ...(items === undefined ? [] : [['*', items] as const])]
  return [
    ...children.flatMap(([key, child]) => [within(key), ...pathsIn(child, within(key))]),
    ...[...anyOf, ...oneOf].flatMap((branch) => pathsIn(branch, path)),
  ]
}
