import type { InputName } from '../../formulas/graph.js'
import type { Formula } from '../../formulas/parse.js'
import { compileFormula } from '../../formulas/program.js'
import type { EigenLossSpec } from '../engine.js'
import { formulaValue } from './formula.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'

export interface MatrixGradient {
  /** [replicas][batch][width] */
  readonly gradient: Value
  /** `gradient` summed over the batch before rounding, [replicas][1][width]. */
  readonly sums: Value
}

/** An eigen loss with its weight at the step, a double. */
interface WeightedEigenLoss {
  readonly spec: EigenLossSpec
  readonly weight: Value
}

/** The matrices of the layers in a batch. */
interface LayerMatrices {
  /** Returns a layer's matrix [replicas][batch][width], floats. */
  readonly at: (position: number) => Value
  readonly widths: readonly number[]
  /** Images in the batch, a double. */
  readonly count: Value
  readonly largestBatch: number
}

/** A layer that eigen losses act on, with their gradients, doubles. */
interface LossLayer {
  readonly position: number
  readonly matrix: LayerMatrix
  readonly gradients: Value[]
}

/**
 * Computes the eigen losses of a batch: floats in and out, double between. Returns the losses, and the sums of their gradients
 * at each layer's matrix, by the layer's position in the forward pass.
 */
export function eigenLossTerms(
  ops: Ops,
  eigenLosses: readonly WeightedEigenLoss[],
  { at, widths, count, largestBatch }: LayerMatrices,
) {
  const positions = [...new Set(eigenLosses.flatMap(({ spec }) => spec.layers))].sort((a, b) => a - b)
  const layers = positions.map((position) => ({
    position,
    matrix: new LayerMatrix(ops, at(position), widths[position]!, count, largestBatch),
    gradients: [],
  }))
  const losses = eigenLosses.map((eigenLoss) => addTerm(ops, eigenLoss, layers))
  const gradients = layers.map(({ position, gradients }) => [position, rounded(ops, gradients)] as const)
  return { losses, gradients: new Map(gradients) }
}

/**
 * Adds the gradients of an eigen loss to its layers. Returns its mean over the layers, unweighted and weighted, [replicas]
 * each.
 */
function addTerm(ops: Ops, { spec, weight }: WeightedEigenLoss, layers: readonly LossLayer[]) {
  const own = layers.filter(({ position }) => spec.layers.includes(position))
  const mean = (total: Value) => (own.length === 1 ? total : ops.multiply(total, ops.double(1 / own.length)))
  const layerWeight = ops.at('host', () => mean(weight))
  const values = own.map(({ matrix, gradients }) => {
    const { value, gradient } = lossOfMatrix(ops, spec.formula, layerWeight, matrix)
    gradients.push(gradient)
    return value
  })
  const value = mean(sum(ops, values))
  return { value: perReplica(ops, value), weighted: perReplica(ops, ops.multiply(value, weight)) }
}

function perReplica(ops: Ops, value: Value): Value {
  return ops.reshape(ops.cast(value, 'float'), [-1])
}

function rounded(ops: Ops, gradients: readonly Value[]): MatrixGradient {
  const gradient = sum(ops, gradients)
  return { gradient: ops.cast(gradient, 'float'), sums: ops.cast(ops.sum(gradient, [1]), 'float') }
}

function sum(ops: Ops, values: readonly Value[]): Value {
  return values.reduce((total, value) => ops.add(total, value))
}

/**
 * A layer's matrix Z [replicas][batch][width] in double, and the functions of it that eigen losses share. Each is added to
 * the graph once, when it is first asked for.
 */
class LayerMatrix {
  readonly width: number
  /** Whether all values of Z are finite, [replicas][1]. */
  readonly finite: Value
  /** Images in the batch, a scalar. */
  readonly count: Value
  readonly #ops: Ops
  /** Z; zeros if a value is not finite, which some of the ops would refuse. */
  readonly #values: Value
  readonly #largestBatch: number
  readonly #known = new Map<string, unknown>()

  /** @param values floats */
  constructor(ops: Ops, values: Value, width: number, count: Value, largestBatch: number) {
    const exact = ops.cast(values, 'double')
    const finite = ops.all(ops.isFinite(exact), [1, 2])
    this.width = width
    this.finite = ops.reshape(finite, [-1, 1])
    this.#ops = ops
    this.#values = ops.select(finite, exact, ops.double(0))
    this.count = count
    this.#largestBatch = largestBatch
  }

  /** m [replicas][1][width]. */
  get mean(): Value {
    return this.#once('mean', () => this.#ops.mean(this.#values, [1]))
  }

  /** Z − m. */
  get centred(): Value {
    return this.#once('centred', () => this.#ops.subtract(this.#values, this.mean))
  }

  /** Biased, [replicas][1][width]. */
  get variances(): Value {
    return this.#once('variances', () => this.#ops.mean(this.#ops.square(this.centred), [1]))
  }

  /** Biased, [replicas][width][width]. */
  get covariance(): Value {
    const products = () => this.#ops.matMul(this.centred, this.centred, { transposeA: true })
    return this.#once('covariance', () => this.#ops.divide(products(), this.count))
  }

  spectrum(center: boolean): Spectrum {
    const matrix = () => (center ? this.centred : this.#values)
    return this.#once(`spectrum ${center}`, () =>
      spectrumOf(this.#ops, matrix(), this.width, this.#largestBatch),
    )
  }

  #once<T>(name: string, add: () => T): T {
    if (!this.#known.has(name)) this.#known.set(name, add())
    return this.#known.get(name) as T
  }
}

/**
 * Returns an eigen loss on one layer, in double: its unweighted value [replicas][1], NaN if the layer's matrix is not finite,
 * and the gradient of weight · value at the matrix, [replicas][batch][width]. With sigma in the formula, both are 0 if the
 * matrix is all zeros.
 */
function lossOfMatrix(ops: Ops, formula: Formula, weight: Value, matrix: LayerMatrix) {
  const { width } = matrix
  const { center } = formula
  const program = compileFormula(formula, width)
  const { value, derivatives } = formulaValue(ops, program, (name) => inputOf(ops, name, matrix, center))
  const perReplica = ops.reshape(value, [-1, 1])
  const usesSpectrum = program.nodes.some(({ name }) => name === 'sigma')
  const defined = usesSpectrum
    ? ops.select(matrix.spectrum(center).present, perReplica, ops.double(0))
    : perReplica
  const gradients = [
    ...ofSpectrum(ops, matrix, center, weight, derivatives),
    ...ofMoments(ops, matrix, weight, derivatives),
  ]
  return {
    value: ops.select(matrix.finite, defined, ops.double(Number.NaN)),
    gradient: gradients.reduce((sum, gradient) => ops.add(sum, gradient), ops.zerosLike(matrix.centred)),
  }
}

function inputOf(ops: Ops, name: InputName, matrix: LayerMatrix, center: boolean): Value {
  switch (name) {
    case 'n':
      return matrix.count
    case 'sigma':
      return ops.reshape(matrix.spectrum(center).singularValues, [-1, 1, matrix.width])
    case 'mean':
      return matrix.mean
    case 'variance':
      return matrix.variances
    case 'covariance':
      return matrix.covariance
  }
}

type Derivatives = ReadonlyMap<InputName, Value>

function ofSpectrum(
  ops: Ops,
  matrix: LayerMatrix,
  center: boolean,
  weight: Value,
  derivatives: Derivatives,
): readonly Value[] {
  const bySigma = derivatives.get('sigma')
  if (bySigma === undefined) return []
  const slopes = ops.reshape(ops.multiply(bySigma, weight), [-1, matrix.width])
  const gradient = spectrumGradient(ops, matrix.spectrum(center), slopes, matrix.width)
  return [center ? ops.subtract(gradient, ops.mean(gradient, [1])) : gradient]
}

/** ∂f/∂Z = (∂f/∂m + 2·(Z − m)·(∂f/∂v or ∂f/∂C)) / N, as C = (Z − m)ᵀ(Z − m)/N and ∂f/∂C is symmetric. */
function ofMoments(
  ops: Ops,
  { count, centred }: LayerMatrix,
  weight: Value,
  derivatives: Derivatives,
): readonly Value[] {
  const { once, twice } = ops.at('host', () => {
    const perImage = ops.divide(weight, count)
    return { once: perImage, twice: ops.add(perImage, perImage) }
  })
  const term = (name: InputName, gradient: (derivative: Value) => Value) => {
    const derivative = derivatives.get(name)
    return derivative === undefined ? [] : [gradient(derivative)]
  }
  return [
    ...term('mean', (byMean) => ops.multiply(byMean, once)),
    ...term('variance', (byVariance) => ops.multiply(centred, ops.multiply(byVariance, twice))),
    ...term('covariance', (byCovariance) => ops.matMul(centred, ops.multiply(byCovariance, twice))),
  ]
}

/** The singular values of a layer's matrix Z, and what the gradient of any function of them needs. All in double. */
interface Spectrum {
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
function spectrumOf(ops: Ops, z: Value, width: number, largestBatch: number): Spectrum {
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
function spectrumGradient(ops: Ops, spectrum: Spectrum, derivatives: Value, width: number): Value {
  const factors = ops.reshape(ops.multiply(derivatives, spectrum.inverses), [-1, 1, width])
  return ops.matMul(ops.multiply(spectrum.projections, factors), spectrum.directions, { transposeB: true })
}
