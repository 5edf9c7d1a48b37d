import { type InputName, isScalar, type Node, type Program } from '../../formulas/graph.js'
import type { Formula } from '../../formulas/parse.js'
import { compileFormula } from '../../formulas/program.js'
import type { EigenLossSpec } from '../engine.js'
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

/**
 * Computes the eigen losses of a batch: floats in and out, double between. Returns the losses, which are their means over the
 * layers, unweighted and weighted, [replicas] each; and the sums of their gradients at each layer's matrix, by the layer's
 * position in the forward pass.
 */
export function eigenLossTerms(
  ops: Ops,
  eigenLosses: readonly WeightedEigenLoss[],
  { at, widths, count, largestBatch }: LayerMatrices,
) {
  const matrices = new Map<number, LayerMatrix>()
  const sums = new Map<number, Value>()
  const losses = eigenLosses.map(({ spec: { formula, layers }, weight }) => {
    const mean = (total: Value) =>
      layers.length === 1 ? total : ops.multiply(total, ops.double(1 / layers.length))
    const layerWeight = ops.at('host', () => mean(weight))
    const values = layers.map((position) => {
      const matrix =
        matrices.get(position) ?? layerMatrix(ops, at(position), widths[position]!, count, largestBatch)
      matrices.set(position, matrix)
      const { value, gradient } = lossOfMatrix(ops, formula, layerWeight, matrix)
      const others = sums.get(position)
      sums.set(position, others === undefined ? gradient : ops.add(others, gradient))
      return value
    })
    const value = mean(values.reduce((total, each) => ops.add(total, each)))
    const perReplica = (each: Value) => ops.reshape(ops.cast(each, 'float'), [-1])
    return { value: perReplica(value), weighted: perReplica(ops.multiply(value, weight)) }
  })
  const rounded = (sum: Value): MatrixGradient => ({
    gradient: ops.cast(sum, 'float'),
    sums: ops.cast(ops.sum(sum, [1]), 'float'),
  })
  return { losses, gradients: new Map([...sums].map(([position, sum]) => [position, rounded(sum)])) }
}

type LayerMatrix = ReturnType<typeof layerMatrix>

/**
 * Returns the statistics of a layer's matrix Z [replicas][batch][width] that eigen losses share, doubles. Each is added to the
 * graph once, when it is first asked for. If a value of Z is not finite, which some of the ops would refuse, Z is replaced by
 * zeros.
 * @param values floats
 */
function layerMatrix(ops: Ops, values: Value, width: number, count: Value, largestBatch: number) {
  const exact = ops.cast(values, 'double')
  const finite = ops.all(ops.isFinite(exact), [1, 2])
  const z = ops.select(finite, exact, ops.double(0))
  const mean = once(() => ops.mean(z, [1]))
  const centred = once(() => ops.subtract(z, mean()))
  return {
    width,
    /** Images in the batch, a scalar. */
    count,
    /** Whether all values of Z are finite, [replicas][1]. */
    finite: ops.reshape(finite, [-1, 1]),
    /** m [replicas][1][width]. */
    mean,
    /** Z − m. */
    centred,
    /** Biased, [replicas][1][width]. */
    variance: once(() => ops.mean(ops.square(centred()), [1])),
    /** Biased, [replicas][width][width]. */
    covariance: once(() => ops.divide(ops.matMul(centred(), centred(), { transposeA: true }), count)),
    spectrum: once(() => spectrumOf(ops, z, width, largestBatch)),
    centredSpectrum: once(() => spectrumOf(ops, centred(), width, largestBatch)),
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/**
 * Returns an eigen loss on one layer, in double: its unweighted value [replicas][1], NaN if the layer's matrix is not finite,
 * and the gradient of weight · value at the matrix, [replicas][batch][width]. With sigma in the formula, both are 0 if the
 * matrix is all zeros.
 */
function lossOfMatrix(ops: Ops, formula: Formula, weight: Value, matrix: LayerMatrix) {
  const { width, count, mean, variance, covariance } = matrix
  const { center } = formula
  const program = compileFormula(formula, width)
  const spectrum = center ? matrix.centredSpectrum : matrix.spectrum
  const sigma = () => ops.reshape(spectrum().singularValues, [-1, 1, width])
  const inputs = { n: () => count, sigma, mean, variance, covariance }
  const { value, derivatives } = formulaValue(ops, program, (name) => inputs[name]())
  const perReplica = ops.reshape(value, [-1, 1])
  const usesSpectrum = program.nodes.some(({ name }) => name === 'sigma')
  const defined = usesSpectrum ? ops.select(spectrum().present, perReplica, ops.double(0)) : perReplica

  // With C = (Z − m)ᵀ(Z − m)/N and ∂f/∂C symmetric, ∂f/∂Z = (∂f/∂m + 2·(Z − m)·(∂f/∂v or ∂f/∂C)) / N.
  const centred = matrix.centred()
  const perImage = once(() => ops.at('host', () => ops.divide(weight, count)))
  const twice = once(() => ops.at('host', () => ops.add(perImage(), perImage())))
  const gradients = {
    sigma: (derivative: Value) => {
      const slopes = ops.reshape(ops.multiply(derivative, weight), [-1, width])
      const gradient = spectrumGradient(ops, spectrum(), slopes, width)
      return center ? ops.subtract(gradient, ops.mean(gradient, [1])) : gradient
    },
    mean: (derivative: Value) => ops.multiply(derivative, perImage()),
    variance: (derivative: Value) => ops.multiply(centred, ops.multiply(derivative, twice())),
    covariance: (derivative: Value) => ops.matMul(centred, ops.multiply(derivative, twice())),
  }
  const parts = (['sigma', 'mean', 'variance', 'covariance'] as const).flatMap((name) => {
    const derivative = derivatives.get(name)
    return derivative === undefined ? [] : [gradients[name](derivative)]
  })
  return {
    value: ops.select(matrix.finite, defined, ops.double(Number.NaN)),
    gradient: parts.reduce((sum, part) => ops.add(sum, part), ops.zerosLike(centred)),
  }
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

/**
 * The results of a formula: scalars are [replicas][1][1], vectors [replicas][1][width] and matrices
 * [replicas][width][width], all double. Axes of length 1 may be missing from what is the same for all replicas.
 */
interface FormulaValue {
  readonly value: Value
  readonly derivatives: ReadonlyMap<InputName, Value>
}

/**
 * The least number that is added to a determinant's diagonal, as a share of the trace: the rounding of a covariance matrix
 * is far below it, so that the matrix has a Cholesky factor however large its values are.
 */
const leastShare = 1e-13

/** Adds a formula to the graph. @param input returns an input's value, in the shapes of `FormulaValue` */
function formulaValue(
  ops: Ops,
  { nodes, width, value, derivatives }: Program,
  input: (name: InputName) => Value,
): FormulaValue {
  const values = new Map<Node, Value>()
  // Nodes that depend on the number of images alone are computed where that number is.
  const ofBatch = new Set<Node>()
  for (const node of nodes) {
    if (node.name === 'n' || (node.op !== 'input' && node.args.every((arg) => ofBatch.has(arg))))
      ofBatch.add(node)
    const operands = node.args.map((arg) => values.get(arg)!)
    const build = () => translate(ops, node, operands, width, input)
    values.set(node, ofBatch.has(node) && isScalar(node) ? ops.at('host', build) : build())
  }
  const slopes = [...derivatives].map(([name, node]) => [name, values.get(node)!] as const)
  return { value: values.get(value)!, derivatives: new Map(slopes) }
}

function translate(
  ops: Ops,
  { op, args, shape, value, name }: Node,
  operands: readonly Value[],
  width: number,
  input: (name: InputName) => Value,
): Value {
  const [a, b] = operands as [Value, Value]
  const vector = (x: Value) => ops.reshape(x, [-1, 1, width])
  const ones = (count: number, of: number) =>
    ops.doubles(Array.from({ length: of }, (_, i) => (i < count ? 1 : 0)))
  const repeated = (x: Value) => {
    if (shape.kind !== 'matrix') return ops.multiply(ones(shape.size, shape.size), x)
    const row = ops.multiply(ones(width, width), x)
    return ops.multiply(row, ops.reshape(ones(width, width), [width, 1]))
  }
  const direct = translations[op]
  if (direct !== undefined) return direct(ops, a, b)
  switch (op) {
    case 'constant':
      return shape.kind === 'scalar' ? ops.double(value) : repeated(ops.double(value))
    case 'input':
      return input(name!)
    case 'fill':
      return repeated(a)
    case 'first':
      return ops.slice(a, ops.integers([0, 0, 0]), ops.integers([-1, 1, shape.size]))
    case 'extend':
      return isScalar(args[0]!)
        ? ops.multiply(ones(value, shape.size), a)
        : ops.matMul(
            a,
            ops.slice(identity(ops, shape.size), ops.integers([0, 0]), ops.integers([value, shape.size])),
          )
    case 'diagonal':
      return vector(ops.diagonal(a))
    case 'diagonalMatrix':
      return isScalar(args[0]!)
        ? ops.multiply(identity(ops, width), a)
        : ops.diagonalMatrix(ops.reshape(a, [-1, width]))
    // A graphics card takes longer for determinants of this size than the copy to the host and back.
    case 'cholesky':
      return ops.at('host', () => factor(ops, a, b))
    case 'logdet':
      return ops.at('host', () => {
        const logarithms = ops.sum(ops.logarithm(ops.diagonal(a)), [-1])
        return ops.reshape(ops.multiply(ops.double(2), logarithms), [-1, 1, 1])
      })
    case 'inverse':
      return ops.at('host', () => {
        const inverse = ops.solveLower(a, identity(ops, width))
        return ops.matMul(inverse, inverse, { transposeA: true })
      })
    default:
      throw new Error(`no translation of ${op}`)
  }
}

type Translation = (ops: Ops, a: Value, b: Value) => Value

/** Operations that depend on their operands alone. */
const translations: Partial<Record<Node['op'], Translation>> = {
  add: (ops, a, b) => ops.add(a, b),
  subtract: (ops, a, b) => ops.subtract(a, b),
  multiply: (ops, a, b) => ops.multiply(a, b),
  divide: (ops, a, b) => ops.divide(a, b),
  larger: (ops, a, b) => ops.maximum(a, b),
  greater: (ops, a, b) => ops.cast(ops.greater(a, b), 'double'),
  exp: (ops, a) => ops.exponential(a),
  log: (ops, a) => ops.logarithm(a),
  sqrt: (ops, a) => ops.squareRoot(a),
  sum: (ops, a) => ops.sum(a, [-2, -1]),
  largest: (ops, a) => ops.largest(a, [-2, -1]),
  offdiagonal: (ops, a) => ops.withDiagonal(a, ops.zerosLike(ops.diagonal(a))),
  outer: (ops, a) => ops.matMul(a, a, { transposeA: true }),
  product: (ops, a, b) => ops.matMul(b, a),
}

function identity(ops: Ops, width: number): Value {
  return ops.diagonalMatrix(ops.doubles(Array<number>(width).fill(1)))
}

/** Returns the lower triangular L with L·Lᵀ = matrix + shift · I. */
function factor(ops: Ops, matrix: Value, shift: Value): Value {
  const diagonal = ops.diagonal(matrix)
  const least = ops.multiply(ops.sum(diagonal, [-1]), ops.double(leastShare))
  const added = ops.maximum(ops.reshape(shift, [-1, 1]), least)
  return ops.cholesky(ops.withDiagonal(matrix, ops.add(diagonal, added)))
}
