import { defaultEigenLossKind, eigenLossSchema } from '../eigen-losses/index.js'
import { valueAt } from './mistakes.js'
import { type Override, withValue } from './override.js'

/** The fields of each kind of eigen loss, by the kind's name. */
const fieldsOfKind: ReadonlyMap<unknown, readonly string[]> = new Map(
  eigenLossSchema.options.map(({ shape }) => [[...shape.kind._zod.values][0], Object.keys(shape)]),
)

/**
 * The file's config without the fields that an override of a `kind` leaves without meaning: over a top-k loss,
 * `--set loss.eigen.kind=log-max` drops the file's `k`. Fields that the command line itself sets are kept.
 */
export function withoutOldKinds(config: unknown, overrides: readonly Override[]): unknown {
  return overrides.filter(({ path }) => path.at(-1) === 'kind').reduce(withoutOldKind, config)
}

function withoutOldKind(config: unknown, { path, value: kind }: Override): unknown {
  const parent = path.slice(0, -1)
  const object = valueAt(config, parent)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return config
  const oldFields = fieldsOfKind.get(Reflect.get(object, 'kind') ?? defaultEigenLossKind) ?? []
  const fields = fieldsOfKind.get(kind) ?? oldFields
  const kept = Object.entries(object).filter(([key]) => !oldFields.includes(key) || fields.includes(key))
  return withValue(config, parent, Object.fromEntries(kept))
}
