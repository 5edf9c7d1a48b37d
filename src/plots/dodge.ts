/**
 * Returns positions as close as possible to the given ones (least squares) that keep a distance and lie between two bounds:
 * the places of labels beside the ends of lines. If there is too little space for the distance, it is divided evenly.
 */
export function dodge(
  positions: readonly number[],
  distance: number,
  [low, high]: readonly [number, number],
): readonly number[] {
  const last = positions.length - 1
  const gap = last > 0 ? Math.min(distance, (high - low) / last) : 0
  const order = [...positions.keys()].sort((a, b) => positions[a]! - positions[b]!)
  // Without the gaps, the places have to be ascending: isotonic regression by pooling adjacent violators.
  const pools: { sum: number; count: number }[] = []
  for (const [place, index] of order.entries()) {
    pools.push({ sum: positions[index]! - place * gap, count: 1 })
    while (pools.length > 1 && meanOf(pools.at(-2)!) > meanOf(pools.at(-1)!)) {
      const { sum, count } = pools.pop()!
      pools.at(-1)!.sum += sum
      pools.at(-1)!.count += count
    }
  }
  const placed = pools.flatMap((pool) => new Array<number>(pool.count).fill(meanOf(pool)))
  const result = new Array<number>(positions.length)
  for (const [place, index] of order.entries())
    result[index] = Math.min(high - last * gap, Math.max(low, placed[place]!)) + place * gap
  return result
}

function meanOf({ sum, count }: { readonly sum: number; readonly count: number }): number {
  return sum / count
}
