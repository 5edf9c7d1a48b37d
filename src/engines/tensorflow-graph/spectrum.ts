import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/** The singular values of a layer's matrix Z, and what the gradient of any function of them needs. All in double. */
export interface Spectrum {
  /** σ [replicas][width], largest first; ones if all are 0. */
  readonly singularValues: Value
  /** 1/σ [replicas][width]; 0 for a σ that is 0 to rounding, as its direction contributes nothing to a gradient. */
  readonly inverses: Value
  /** Z·V [replicas][batch][width]: the left singular vectors, each times its σ. */
  readonly projections: Value
  /** V [replicas][width][width] */
  readonly directions: Value
  /** Whether Z has a value other than 0, [replicas][1]. */
  readonly present: Value
}

/**
 * Computes the spectrum of Z [replicas][batch][width], double and finite, from the eigenvectors V of the Gram matrix ZᵀZ. σ is
 * the column norms of Z·V: square roots of the eigenvalues would lose every σ below 1e-8 of the largest one.
 *
 * The eigenvectors are computed on the host: a graphics card takes longer for a 10 × 10 matrix than the copy there and back.
 */
export function spectrumOf(ops: Ops, z: Value, width: number, largestBatch: number): Spectrum {
  const gram = ops.matMul(z, z, { transposeA: true })
  const vectors = ops.at('host', () => ops.eigenvectors(gram))
  const unsorted = ops.matMul(z, vectors)
  const norms = ops.squareRoot(ops.reshape(ops.sum(ops.square(unsorted), [1]), [-1, width]))
  const { values, indices } = ops.sortDescending(norms, width)
  const largest = ops.slice(values, ops.integers([0, 0]), ops.integers([-1, 1]))
  const present = ops.greater(largest, ops.double(0))
  const negligible = ops.multiply(largest, ops.double(Number.EPSILON * Math.max(largestBatch, width)))
  const significant = ops.greater(values, negligible)
  const singularValues = ops.select(present, values, ops.double(1))
  const inverse = ops.divide(ops.double(1), ops.select(significant, values, ops.double(1)))
  return {
    singularValues,
    inverses: ops.select(significant, inverse, ops.double(0)),
    projections: ops.gather(unsorted, indices, 2, 1),
    directions: ops.gather(vectors, indices, 2, 1),
    present,
  }
}

/** ∂f/∂Z = Σ f′ᵢ uᵢ vᵢᵀ = Z · V diag(f′/σ) Vᵀ, [replicas][batch][width], from f′ [replicas][width]. */
export function spectrumGradient(ops: Ops, spectrum: Spectrum, derivatives: Value, width: number): Value {
  const factors = ops.reshape(ops.multiply(derivatives, spectrum.inverses), [-1, 1, width])
  return ops.matMul(ops.multiply(spectrum.projections, factors), spectrum.directions, { transposeB: true })
}
