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
