/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is named by (seed, purpose, epoch, index), so there is no generator state to save, and every
 * engine draws the same numbers. native/core/random.h is the same function in C++.
 */
export const purpose = {
  initialParameters: 1,
  shuffle: 2,
  trainingNoise: 3,
  evaluationNoise: 4,
  search: 5,
  bootstrap: 6,
} as const

type Words4 = readonly [number, number, number, number]

/** Returns one block of four 32-bit words. `key` is [seed, purpose] throughout this project. */
export function philox4x32(counter: Words4, key: readonly [number, number]): Words4 {
  const block = new Uint32Array(4)
  philoxInto(block, counter[0], counter[1], counter[2], counter[3], key[0], key[1])
  return [block[0]!, block[1]!, block[2]!, block[3]!]
}

/** Writes the same block into `block`: drawing many numbers allocates nothing. */
export function philoxInto(
  block: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0)
    const low0 = Math.imul(0xd2511f53, c0)
    const high1 = multiplyHigh(0xcd9e8d57, c2)
    const low1 = Math.imul(0xcd9e8d57, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + 0x9e3779b9) | 0
    k1 = (k1 + 0xbb67ae85) | 0
  }
  block[0] = c0
  block[1] = c1
  block[2] = c2
  block[3] = c3
}

/** Returns the high 32 bits of a 32 × 32 bit product, by 16-bit halves, because a double holds no 64-bit integer. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const low = Math.imul(a0, b0) >>> 0
  const middle = (Math.imul(a1, b0) >>> 0) + (low >>> 16)
  const carry = (Math.imul(a0, b1) >>> 0) + (middle & 0xffff)
  return Math.imul(a1, b1) + (middle >>> 16) + (carry >>> 16)
}

/** Returns the order of an epoch's images: a permutation of 0 … count−1, named by (seed, shuffle, epoch). */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  return randomPermutation(count, [seed, purpose.shuffle], [epoch, 0])
}

/**
 * Returns a permutation of 0 … count−1 by Fisher and Yates, the partner of element i in its swap being
 * floor(word · (i + 1) / 2³²). The words are named by `key`, which is [seed, purpose], and `stream`.
 */
export function randomPermutation(
  count: number,
  key: readonly [number, number],
  stream: readonly [number, number],
): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const block = new Uint32Array(4)
  for (let i = count - 1, drawn = 0; i > 0; i--, drawn++) {
    if (drawn % 4 === 0) philoxInto(block, drawn / 4, stream[0], stream[1], 0, key[0], key[1])
    const partner = Math.floor((block[drawn % 4]! * (i + 1)) / 0x1_0000_0000)
    const swapped = order[i]!
    order[i] = order[partner]!
    order[partner] = swapped
  }
  return order
}

/** Returns the noise that evaluations add to an image: up to rounding, the Box–Muller numbers of native/core/random.h. */
export function evaluationNoise(image: number, pixels: number, deviation: number, seed = 0): Float32Array {
  const noise = new Float32Array(pixels)
  fillEvaluationNoise(noise, image, deviation, seed)
  return noise
}

/** Writes the same noise into `noise`, [pixels]. */
export function fillEvaluationNoise(
  noise: Float32Array,
  image: number,
  deviation: number,
  seed: number,
): void {
  const block = new Uint32Array(4)
  for (let pixel = 0; pixel < noise.length; pixel += 4) {
    philoxInto(block, pixel / 4, image, 0, 0, seed, purpose.evaluationNoise)
    fillPair(noise, pixel, block[0]!, block[1]!, deviation)
    fillPair(noise, pixel + 2, block[2]!, block[3]!, deviation)
  }
}

/** Writes normal numbers of deviation 1, named by (seed, purpose) and `stream`, by Box and Muller. */
export function fillNormals(
  values: Float64Array,
  key: readonly [number, number],
  stream: readonly [number, number],
): void {
  const block = new Uint32Array(4)
  for (let i = 0; i < values.length; i += 4) {
    philoxInto(block, i / 4, stream[0], stream[1], 0, key[0], key[1])
    fillPair(values, i, block[0]!, block[1]!, 1)
    fillPair(values, i + 2, block[2]!, block[3]!, 1)
  }
}

/** Writes two normal numbers made of two words. A typed array ignores writes past its end. */
function fillPair(
  noise: Float32Array | Float64Array,
  index: number,
  even: number,
  odd: number,
  deviation: number,
): void {
  const radius = deviation * Math.sqrt(-2 * Math.log(((even >>> 9) + 0.5) * 2 ** -23))
  const angle = 2 * Math.PI * (odd | 0) * 2 ** -32
  noise[index] = radius * Math.cos(angle)
  noise[index + 1] = radius * Math.sin(angle)
}
