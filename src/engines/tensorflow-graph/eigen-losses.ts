import { eigenLossFormula } from '../../eigen-losses/tensorflow/index.js'
import type { EarlierEigenLoss } from '../earlier-spec.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/** The eigen losses of a batch. */
export interface EigenLossTerm {
  /** The sum of the unweighted values, [replicas]. */
  readonly value: Value
  /** Σ weight · value, [replicas]. */
  readonly weighted: Value
  /** The gradient of `weighted` at the embedding, [replicas][batch][latent]. */
  readonly gradient: Value
  /** `gradient` summed over the batch before rounding, [replicas][latent]: exactly 0 if all eigen losses are centred. */
  readonly gradientSums: Value
}

/** Computes the eigen losses of an embedding [replicas][batch][latent]: floats in and out, double between. */
export function eigenLossTerm(
  ops: Ops,
  eigenLosses: readonly EarlierEigenLoss[],
  embedding: Value,
  latent: number,
  largestBatch: number,
): EigenLossTerm {
  const exact = ops.cast(embedding, 'double')
  const spectra = new Map<boolean, Spectrum>()
  const spectrumFor = (center: boolean) => {
    const known = spectra.get(center)
    if (known !== undefined) return known
    const spectrum = spectrumOf(ops, center ? centred(ops, exact) : exact, latent, largestBatch)
    spectra.set(center, spectrum)
    return spectrum
  }
  const terms = eigenLosses.map((eigenLoss) =>
    weightedTerm(ops, eigenLoss, spectrumFor(eigenLoss.center), latent),
  )
  const sum = (values: readonly Value[]) => values.reduce((total, value) => ops.add(total, value))
  const perReplica = (values: readonly Value[]) => ops.reshape(ops.cast(sum(values), 'float'), [-1])
  const gradient = sum(terms.map((term) => term.gradient))
  return {
    value: perReplica(terms.map(({ value }) => value)),
    weighted: perReplica(terms.map(({ weighted }) => weighted)),
    gradient: ops.cast(gradient, 'float'),
    gradientSums: ops.cast(ops.sum(gradient, [1]), 'float'),
  }
}

/** One eigen loss. Its value and gradient are 0 if the embedding is all zeros, NaN if the embedding is not finite. */
function weightedTerm(ops: Ops, eigenLoss: EarlierEigenLoss, spectrum: Spectrum, latent: number) {
  const { kind, weight, center, parameters } = eigenLoss
  const { value, derivatives } = eigenLossFormula(kind)(ops, spectrum.singularValues, latent, parameters)
  const gradient = embeddingGradient(ops, spectrum, ops.multiply(derivatives, ops.double(weight)), latent)
  const defined = ops.select(spectrum.present, value, ops.double(0))
  const checked = ops.select(spectrum.finite, defined, ops.double(Number.NaN))
  return {
    value: checked,
    weighted: ops.multiply(checked, ops.double(weight)),
    gradient: center ? centred(ops, gradient) : gradient,
  }
}

/** The singular values of a batch's embedding Z, and what the gradient of any function of them needs. All in double. */
interface Spectrum {
  /** σ [replicas][latent], largest first; ones if all are 0. */
  readonly singularValues: Value
  /** 1/σ [replicas][latent]; 0 for a σ that is 0 to rounding, as its direction contributes nothing to a gradient. */
  readonly inverses: Value
  /** Z·V [replicas][batch][latent]: the left singular vectors, each times its σ. */
  readonly projections: Value
  /** V [replicas][latent][latent] */
  readonly directions: Value
  /** Whether Z has a value other than 0, [replicas][1]. */
  readonly present: Value
  /** Whether all values of Z are finite, [replicas][1]. */
  readonly finite: Value
}

/**
 * Computes the spectrum of Z [replicas][batch][latent], double, from the eigenvectors V of the Gram matrix ZᵀZ. σ is the
 * column norms of Z·V: square roots of the eigenvalues would lose every σ below 1e-8 of the largest one.
 *
 * The eigenvectors are computed on the host: a graphics card takes longer for a 10 × 10 matrix than the copy there and back.
 */
function spectrumOf(ops: Ops, z: Value, latent: number, largestBatch: number): Spectrum {
  const finite = ops.all(ops.isFinite(z), [1, 2])
  const safe = ops.select(finite, z, ops.double(0))
  const gram = ops.matMul(safe, safe, { transposeA: true })
  const vectors = ops.at('host', () => ops.eigenvectors(gram))
  const unsorted = ops.matMul(safe, vectors)
  const norms = ops.squareRoot(ops.reshape(ops.sum(ops.square(unsorted), [1]), [-1, latent]))
  const { values, indices } = ops.sortDescending(norms, latent)
  const largest = ops.slice(values, ops.integers([0, 0]), ops.integers([-1, 1]))
  const present = ops.greater(largest, ops.double(0))
  const negligible = ops.multiply(largest, ops.double(Number.EPSILON * Math.max(largestBatch, latent)))
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
function embeddingGradient(ops: Ops, spectrum: Spectrum, derivatives: Value, latent: number): Value {
  const factors = ops.reshape(ops.multiply(derivatives, spectrum.inverses), [-1, 1, latent])
  return ops.matMul(ops.multiply(spectrum.projections, factors), spectrum.directions, { transposeB: true })
}

function centred(ops: Ops, z: Value): Value {
  return ops.subtract(z, ops.mean(z, [1]))
}
