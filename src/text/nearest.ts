import { distance } from 'fastest-levenshtein'

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
