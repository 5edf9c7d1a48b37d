import type { Layer } from './architecture.js'
import { fillNormals, purpose } from './random.js'

/** The gain for ReLU: torch.nn.init.calculate_gain('relu'). */
const gain = Math.SQRT2

/**
 * Fills a weight [outputs][inputs] with orthonormal rows, or columns if it has more rows than columns, times √2:
 * torch.nn.init.orthogonal_. The vectors are Gram and Schmidt's of normal ones, which are named by the seed and the
 * tensor, so the weight is uniformly distributed.
 */
export function fillOrthogonal(
  weight: Float32Array,
  { inputs, outputs }: Pick<Layer, 'inputs' | 'outputs'>,
  seed: number,
  tensor: number,
): void {
  const [count, length] = [Math.min(inputs, outputs), Math.max(inputs, outputs)]
  const vectors = new Float64Array(count * length)
  fillNormals(vectors, [seed, purpose.initialParameters], [tensor, 1])
  for (let i = 0; i < count; i++) orthonormalise(vectors, i, length)
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < length; k++) {
      weight[outputs <= inputs ? i * inputs + k : k * inputs + i] = gain * vectors[i * length + k]!
    }
  }
}

/** Makes vector i orthogonal to those before it, twice because once leaves rounding errors, and of length 1. */
function orthonormalise(vectors: Float64Array, i: number, length: number): void {
  const vector = vectors.subarray(i * length, (i + 1) * length)
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < i; j++) {
      const other = vectors.subarray(j * length, (j + 1) * length)
      const product = dot(vector, other)
      for (let k = 0; k < length; k++) vector[k]! -= product * other[k]!
    }
  }
  const norm = Math.sqrt(dot(vector, vector))
  for (let k = 0; k < length; k++) vector[k]! /= norm
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!
  return sum
}
