import type { InputName } from '../../formulas/graph.js'
import { compileFormula } from '../../formulas/program.js'
import type { EigenLossSpec } from '../engine.js'
import { formulaValue } from './formula.js'
import type { Value } from './graph.js'
import type { LayerMatrix } from './layer-matrix.js'
import type { Ops } from './ops.js'
import { spectrumGradient } from './spectrum.js'

/** An eigen loss on one layer, in double. */
export interface MatrixLoss {
  /** Unweighted, [replicas][1]; NaN if the layer's matrix is not finite. */
  readonly value: Value
  /** The gradient of weight · value at the matrix, [replicas][batch][width]. */
  readonly gradient: Value
}

/** A weight · an eigen loss. */
export interface WeightedLoss extends Pick<EigenLossSpec, 'formula'> {
  /** A scalar. */
  readonly weight: Value
}

/** With sigma in the formula, value and gradient are 0 if the matrix is all zeros. */
export function lossOfMatrix(ops: Ops, { formula, weight }: WeightedLoss, matrix: LayerMatrix): MatrixLoss {
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
