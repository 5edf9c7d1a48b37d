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
      problem: `expected path=value, got "${setting}"`,
      subject: '--set',
      hint: 'For example: --set loss.eigen.weight=0.5',
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

export interface Overridden {
  readonly value: unknown
  /** A line for each override that leads to nothing. */
  readonly mistakes: readonly string[]
}

/** A copy of `config` with the overrides in it, the later one winning. */
export function applyOverrides(config: unknown, overrides: readonly Override[]): Overridden {
  return overrides.reduce<Overridden>(
    ({ value, mistakes }, { path, value: leaf, flag }) => {
      const mistake = wayMistake(value, path)
      return mistake === null
        ? { value: withValue(value, path, leaf), mistakes }
        : { value, mistakes: [...mistakes, `${flag}: ${mistake}`] }
    },
    { value: config, mistakes: [] },
  )
}

/** Why a path leads to nothing, if it does. */
function wayMistake(target: unknown, [key, ...rest]: readonly string[]): string | null {
  if (key === undefined || target === null || target === undefined) return null
  if (typeof target !== 'object') return `${JSON.stringify(target)} has no field "${key}"`
  if (Array.isArray(target) && !(/^\d+$/.test(key) && Number(key) < target.length))
    return `there is no element ${key} in a list of ${target.length}`
  return wayMistake(Object.hasOwn(target, key) ? Reflect.get(target, key) : undefined, rest)
}

/** A copy with the value at a path that leads somewhere; objects on the way are made where missing. */
export function withValue(target: unknown, path: readonly string[], leaf: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return leaf
  if (Array.isArray(target))
    return target.map((value, index) => (index === Number(key) ? withValue(value, rest, leaf) : value))
  const fields = Object.entries(target ?? {}).filter(([name]) => name !== key)
  const old =
    fields.length === Object.keys(target ?? {}).length ? undefined : Reflect.get(target as object, key)
  return Object.fromEntries([...fields, [key, withValue(old, rest, leaf)]])
}
