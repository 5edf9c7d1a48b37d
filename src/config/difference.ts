/** One field in which two configs differ, with both values as JSON; "nothing" if a config lacks the field. */
export interface ConfigDifference {
  readonly path: string
  readonly left: string
  readonly right: string
}

/** Returns all fields in which two configs differ, in the order of the left config. */
export function configDifferences(left: unknown, right: unknown, path = ''): readonly ConfigDifference[] {
  if (!isObject(left) || !isObject(right)) {
    const [a, b] = [jsonOrNothing(left), jsonOrNothing(right)]
    return a === b ? [] : [{ path, left: a, right: b }]
  }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].flatMap((key) =>
    configDifferences(left[key], right[key], path === '' ? key : `${path}.${key}`),
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function jsonOrNothing(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
