/** One field in which two configs differ; values as JSON, "nothing" where a side lacks the field. */
export interface ConfigDifference {
  readonly path: string
  readonly left: string
  readonly right: string
}

/** All fields in which two configs differ, by their paths, the left one's order first. */
export function configDifferences(left: unknown, right: unknown, path = ''): readonly ConfigDifference[] {
  if (!isObject(left) || !isObject(right)) {
    const [a, b] = [shown(left), shown(right)]
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

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
