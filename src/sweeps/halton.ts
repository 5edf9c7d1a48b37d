import { maximumAxes } from '../config/search.js'
import { purpose, randomPermutation } from '../model/random.js'

const bases = firstPrimes(maximumAxes)

/**
 * Returns one coordinate of a randomised Halton sequence: a function from a point's index (0, 1, …) to a number in
 * [0, 1). Axis j uses the j-th prime b as its base. The index is written in base b, each digit is replaced through a
 * random permutation of its own, also the leading zeros, and the digits are mirrored at the point (Owen, "A randomized
 * Halton algorithm in R", 2017, arXiv:1706.02808). The first bᵏ points, and every later block of bᵏ, have exactly one
 * in each interval [i/bᵏ, (i+1)/bᵏ). A coordinate depends on seed, axis and index alone, so a longer sequence begins
 * with the shorter one.
 */
export function haltonAxis(seed: number, axis: number): (index: number) => number {
  const base = bases[axis]!
  const digits = Math.floor(53 / Math.log2(base))
  const permutations = Array.from({ length: digits }, (_, place) =>
    randomPermutation(base, [seed, purpose.search], [axis, place]),
  )
  // At most 2⁵³, so that the numerator is exact and the quotient is less than 1.
  const denominator = permutations.reduce((product) => product * base, 1)
  return (index) => {
    let numerator = 0
    let rest = index
    for (const permutation of permutations) {
      numerator = numerator * base + permutation[rest % base]!
      rest = Math.floor(rest / base)
    }
    return numerator / denominator
  }
}

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = []
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number)
  }
  return primes
}
