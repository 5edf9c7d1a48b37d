import { usageError } from '../errors.js'

/** One field of the config set from the command line. */
export interface Override {
  readonly path: readonly string[]
  readonly value: unknown
  /** As the user wrote it, for messages: `--set loss.eigen.weight`, `--epochs`. */
  readonly flag: string
}

/** `loss.eigen.weight=0.5`: the value is JSON, or else a bare word (`model.batchNorm=all`). */
export function parseSetting(setting: string): Override {
  const equals = setting.indexOf('=')
  const path = setting.slice(0, equals).split('.')
  if (equals < 1 || path.includes('')) {
    throw usageError({
      what: `expected path=value, got "${setting}"`,
      where: '--set',
      mend: 'For example: --set loss.eigen.weight=0.5',
    })
  }
  return { path, value: jsonOrWord(setting.slice(equals + 1)), flag: `--set ${path.join('.')}` }
}

function jsonOrWord(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A copy of `config` with the overrides in it, the later one winning; objects on the way are made where missing. */
export function applyOverrides(config: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, { path, value: leaf, flag }) => withValue(value, path, leaf, flag), config)
}

function withValue(target: unknown, path: readonly string[], leaf: unknown, flag: string): unknown {
  const [key, ...rest] = path
  if (key === undefined) return leaf
  if (Array.isArray(target)) {
    if (!/^\d+$/.test(key) || Number(key) >= target.length) {
      throw usageError({ what: `there is no element ${key} in a list of ${target.length}`, where: flag })
    }
    return target.map((value, index) => (index === Number(key) ? withValue(value, rest, leaf, flag) : value))
  }
  if (target !== null && target !== undefined && typeof target !== 'object') {
    throw usageError({ what: `${JSON.stringify(target)} has no field "${key}"`, where: flag })
  }
  const fields = Object.entries(target ?? {}).filter(([name]) => name !== key)
  const old =
    fields.length === Object.keys(target ?? {}).length ? undefined : Reflect.get(target as object, key)
  return Object.fromEntries([...fields, [key, withValue(old, rest, leaf, flag)]])
}
