import { distance } from 'fastest-levenshtein'

// A number between separators, with its decimals and exponent. A sign belongs to the number only after "=": elsewhere a
// dash is a separator ("seed-2").
const numbers = /(?<=^|[=,_/-])(?:(?<==)[+-])?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?=[,_/-]|$)/gi

const textOrder = new Intl.Collator('en', { numeric: true })

/**
 * Compares two names as people sort them: "seed-2" before "seed-10", "rate=0.003" before "rate=0.01". A number between
 * separators is compared by its value. Elsewhere each run of digits is compared on its own ("v1.9" before "v1.10").
 */
export function compareNaturally(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  for (const [place, part] of left.entries()) {
    const other = right[place]
    if (other === undefined) return 1
    const order = comparePart(part, other)
    if (order !== 0) return order
  }
  if (left.length < right.length) return -1
  return a < b ? -1 : Number(a > b)
}

/** Splits a name into text, number, text, …, so that the parts of two names have the same type at each position. */
function partsOf(name: string): readonly (string | number)[] {
  const parts: (string | number)[] = []
  let end = 0
  for (const match of name.matchAll(numbers)) {
    parts.push(name.slice(end, match.index), Number(match[0]))
    end = match.index + match[0].length
  }
  return [...parts, name.slice(end)]
}

function comparePart(a: string | number, b: string | number): number {
  if (typeof a === 'string' && typeof b === 'string') return textOrder.compare(a, b)
  return a < b ? -1 : Number(a > b)
}

/**
 * Returns the name that a wrong one is meant for, null if none is near: a key that is valid in its place, or else a path
 * whose last key is near, first those within the place, then short ones. "lr" stands for "learningRate".
 * @param valid the keys that are valid in the place
 */
export function nearestName(
  wrong: string,
  valid: readonly string[],
  paths: readonly string[] = [],
  place = '',
): string | null {
  const depthOf = (path: string) => (path.startsWith(`${place}.`) ? 0 : path.split('.').length)
  const elsewhere = paths.filter((path) => !path.includes('*')).toSorted((a, b) => depthOf(a) - depthOf(b))
  const candidates = [...valid, ...elsewhere].map((path) => ({ path, edits: editsBetween(wrong, path) }))
  const [nearest] = candidates.toSorted((a, b) => a.edits - b.edits)
  // A short name has few letters to spare.
  const mostEdits = 0.5 + Math.min(3, Math.floor(wrong.length / 2))
  return nearest !== undefined && nearest.edits <= mostEdits ? nearest.path : null
}

/** Returns "; did you mean "x"?" with the nearest name, "" if none is near. Takes the arguments of `nearestName`. */
export function suggestion(...args: Parameters<typeof nearestName>): string {
  const nearest = nearestName(...args)
  return nearest === null ? '' : `; did you mean "${nearest}"?`
}

/**
 * Returns the letters that must change to make a path or its last key of a name. Another case, underscores and initials
 * count as less than a letter.
 */
function editsBetween(name: string, path: string): number {
  const key = path.split('.').at(-1)!
  if (key === name) return 0
  if (initials(key) === name.toLowerCase()) return 0.5
  return 0.5 + Math.min(...[path, key].map((each) => distance(plain(name), plain(each))))
}

/** "batch_size" and "batchSize" have the same letters. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '')
}

/** "learningRate" → "lr"; undefined for a single word. */
function initials(key: string): string | undefined {
  const [first, ...capitals] = [key[0], ...key.slice(1).replace(/[^A-Z]/g, '')]
  return capitals.length === 0 ? undefined : [first, ...capitals].join('').toLowerCase()
}
