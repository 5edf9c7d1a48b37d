/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is named by (seed, purpose, epoch, index): there is no generator state to save, and
 * every engine draws the same. native/core/random.h is the same function for the engines in C++.
 */
export const purpose = { initialParameters: 1, shuffle: 2, trainingNoise: 3, evaluationNoise: 4 } as const

export type Words4 = readonly [number, number, number, number]

/** The high 32 bits of a 32 × 32 bit product, by 16-bit halves: doubles hold no 64-bit integer. */
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

/** One block of four 32-bit words. `key` is [seed, purpose] throughout this project. */
export function philox4x32(counter: Words4, key: readonly [number, number]): Words4 {
  const block = new Uint32Array(4)
  philoxInto(block, counter[0], counter[1], counter[2], counter[3], key[0], key[1])
  return [block[0]!, block[1]!, block[2]!, block[3]!]
}

/** The same block into four words of the caller's: for those who draw many. */
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
