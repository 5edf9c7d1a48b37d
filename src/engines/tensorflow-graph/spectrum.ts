import type { Value } from './builder.js'
import type { Ops } from './ops.js'

/** Singular values of a batch's codes Z, and what the gradient of any function of them needs. All in double. */
export interface Spectrum {
  /** σ [replicas][latent], largest first; ones where all are 0. */
  readonly singularValues: Value
  /** 1/σ [replicas][latent], and 0 where σ is 0 to rounding: such a direction contributes nothing. */
  readonly inverses: Value
  /** Z·V [replicas][batch][latent]: the left singular vectors, each times its σ. */
  readonly projections: Value
  /** V [replicas][latent][latent] */
  readonly directions: Value
  /** Whether a replica has a spectrum [replicas][1]: not all codes are 0. */
  readonly present: Value
  /** Whether all codes of a replica are finite [replicas][1]. */
  readonly finite: Value
}

const rounding = Number.EPSILON

/**
 * Of Z [replicas][batch][latent], double, already centred where that is wanted. V comes from the Gram matrix ZᵀZ. Its
 * eigenvalues would have lost what is smaller than 1e-8 of the largest σ; the column norms of Z·V have not.
 */
export function spectrumOf(ops: Ops, codes: Value, latent: number, largestBatch: number): Spectrum {
  const finite = ops.all(ops.isFinite(codes), [1, 2])
  const safe = ops.select(finite, codes, ops.double(0))
  const gram = ops.matMul(safe, safe, { transposeA: true })
  const vectors = ops.at('eigen', () => ops.eigenvectors(gram))
  const unsorted = ops.matMul(safe, vectors)
  const norms = ops.squareRoot(ops.reshape(ops.sum(ops.square(unsorted), [1]), [-1, latent]))
  const { values, indices } = ops.sortDescending(norms, latent)
  const largest = ops.slice(values, ops.integers([0, 0]), ops.integers([-1, 1]))
  const present = ops.greater(largest, ops.double(0))
  const negligible = ops.multiply(largest, ops.double(rounding * Math.max(largestBatch, latent)))
  const significant = ops.greater(values, negligible)
  const singularValues = ops.select(present, values, ops.double(1))
  const inverse = ops.divide(ops.double(1), ops.select(significant, values, ops.double(1)))
  return {
    singularValues,
    inverses: ops.select(significant, inverse, ops.double(0)),
    projections: ops.gather(unsorted, indices, 2, 1),
    directions: ops.gather(vectors, indices, 2, 1),
    present,
    finite: ops.reshape(finite, [-1, 1]),
  }
}

/** ∂f/∂Z = Σ f′ᵢ uᵢ vᵢᵀ = Z · V diag(f′/σ) Vᵀ, [replicas][batch][latent], from f′ [replicas][latent]. */
export function codeGradient(ops: Ops, spectrum: Spectrum, derivatives: Value, latent: number): Value {
  const factors = ops.reshape(ops.multiply(derivatives, spectrum.inverses), [-1, 1, latent])
  return ops.matMul(ops.multiply(spectrum.projections, factors), spectrum.directions, { transposeB: true })
}
