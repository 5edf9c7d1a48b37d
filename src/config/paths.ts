import { jsonSchema } from './schema.js'

/** A JSON Schema, as far as it leads to fields. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  /** The schema of the values of an object whose keys the user chooses. */
  readonly additionalProperties?: Schema | false
}

/** Fields of config files that no config has. */
const ofFiles: readonly string[] = ['$schema', 'extends']

/**
 * Returns every config path of this version, objects included: "loss.eigen", "loss.eigen.kind". A list's elements are "*", and
 * so are the fields of an object whose keys the user chooses.
 */
export function configPaths(): readonly string[] {
  return [...new Set(pathsIn(jsonSchema(), ''))].filter((path) => !ofFiles.includes(path))
}

/** True if a config of this version can have a field at a path: "model.widths.0" is the first element of a list. */
export function isConfigPath(path: string): boolean {
  const general = path.replace(/\.\d+(?=\.|$)/g, '.*').replace(/\.parameters\.[^.]+$/, '.parameters.*')
  return configPaths().includes(general)
}

function pathsIn(
  { properties = {}, anyOf = [], oneOf = [], items, additionalProperties }: Schema,
  path: string,
): readonly string[] {
  const within = (key: string) => (path === '' ? key : `${path}.${key}`)
  const any = [items, additionalProperties || undefined].flatMap((each) =>
    each === undefined ? [] : [['*', each] as const],
  )
  const children = [...Object.entries(properties), ...any]
  return [
    ...children.flatMap(([key, child]) => [within(key), ...pathsIn(child, within(key))]),
    ...[...anyOf, ...oneOf].flatMap((branch) => pathsIn(branch, path)),
  ]
}
