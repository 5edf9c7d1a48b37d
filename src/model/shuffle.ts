import { philoxInto, purpose } from './random.js'

/**
 * The order in which an epoch sees its images: a permutation of 0 … count−1 by Fisher and Yates, each swap's partner
 * floor(word · (i + 1) / 2³²). Named by (seed, shuffle, epoch, i), the same on every engine.
 */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const block = new Uint32Array(4)
  for (let i = count - 1, drawn = 0; i > 0; i--, drawn++) {
    if (drawn % 4 === 0) philoxInto(block, drawn / 4, epoch, 0, 0, seed, purpose.shuffle)
    const partner = Math.floor((block[drawn % 4]! * (i + 1)) / 0x1_0000_0000)
    const swapped = order[i]!
    order[i] = order[partner]!
    order[partner] = swapped
  }
  return order
}
