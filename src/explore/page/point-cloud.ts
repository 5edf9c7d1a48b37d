/** Places on a canvas, in pixels from its upper left corner. */
export interface Place {
  readonly x: number
  readonly y: number
}

/** From an axis's values to a canvas's pixels. */
export interface Scale {
  readonly low: number
  readonly high: number
}

/** A scale that holds all values and a range about 0 at least, with a little room. */
export function scaleOf(values: readonly number[], least: number): Scale {
  const low = values.reduce((a, b) => Math.min(a, b), -least)
  const high = values.reduce((a, b) => Math.max(a, b), least)
  const room = 0.04 * (high - low || 1)
  return { low: low - room, high: high + room }
}

export function scaled({ low, high }: Scale, value: number, length: number): number {
  return ((value - low) / (high - low)) * length
}

/** The place nearest to another, if one is within reach; null otherwise. */
export function nearest(places: readonly Place[], { x, y }: Place, within: number): number | null {
  const distances = places.map((place) => Math.hypot(place.x - x, place.y - y))
  const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  return least <= within ? distances.indexOf(least) : null
}

/** From one place the nearest that lies rather in this direction than beside it; itself, where there is none. */
export function neighbour(places: readonly Place[], from: number, direction: Place): number {
  const start = places[from]!
  let [best, least] = [from, Number.POSITIVE_INFINITY]
  for (const [index, { x, y }] of places.entries()) {
    const [dx, dy] = [x - start.x, y - start.y]
    const along = dx * direction.x + dy * direction.y
    const across = Math.abs(dx * direction.y - dy * direction.x)
    const length = Math.hypot(dx, dy)
    if (along > 0 && along >= across && length < least) [best, least] = [index, length]
  }
  return best
}
