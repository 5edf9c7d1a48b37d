/**
 * Returns the places of the values that draw the same line as all of them: the first, the last, and of each of some equal
 * parts the lowest and the highest. Ascending; every place if there are at most `most`.
 */
export function linePlaces(values: readonly number[], most: number): readonly number[] {
  const last = values.length - 1
  if (last < most) return [...values.keys()]
  const parts = Math.max(1, Math.floor((most - 2) / 2))
  const places = new Set([0])
  for (let part = 0; part < parts; part++) {
    const [start, end] = [startOf(part, parts, last + 1), startOf(part + 1, parts, last + 1)]
    let [lowest, highest] = [start, start]
    for (let place = start + 1; place < end; place++) {
      if (values[place]! < values[lowest]!) lowest = place
      if (values[place]! > values[highest]!) highest = place
    }
    places.add(Math.min(lowest, highest)).add(Math.max(lowest, highest))
  }
  return [...places.add(last)]
}

function startOf(part: number, parts: number, length: number): number {
  return Math.floor((part * length) / parts)
}

/** Returns at most `most` values, evenly taken, the first and the last among them. */
export function evenly<T>(values: readonly T[], most: number): readonly T[] {
  if (values.length <= most) return values
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]!)
}

/** Consecutive items that are drawn as one. */
export interface Span {
  readonly first: number
  readonly last: number
}

/** Cuts ascending numbers into at most `most` spans of the same count of them; the last may have fewer. */
export function spansOf(numbers: readonly number[], most: number): readonly Span[] {
  const size = Math.max(1, Math.ceil(numbers.length / most))
  return Array.from({ length: Math.ceil(numbers.length / size) }, (_, span) => ({
    first: numbers[span * size]!,
    last: numbers[Math.min((span + 1) * size, numbers.length) - 1]!,
  }))
}

export function spanText({ first, last }: Span): string {
  return first === last ? String(first) : `${first} to ${last}`
}
