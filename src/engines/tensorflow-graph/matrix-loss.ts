import type {
  CovarianceFormula,
  SpectrumFormula,
  VariancesFormula,
} from '../../eigen-losses/tensorflow/eigen-loss.js'
import { eigenLossFormula } from '../../eigen-losses/tensorflow/index.js'
import type { EigenLossSpec } from '../engine.js'
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
export interface WeightedLoss extends Pick<EigenLossSpec, 'kind' | 'center' | 'parameters'> {
  /** A scalar. */
  readonly weight: Value
}

export function lossOfMatrix(ops: Ops, loss: WeightedLoss, matrix: LayerMatrix): MatrixLoss {
  const { value, gradient } = byFormula(ops, loss, matrix)
  const perReplica = ops.reshape(value, [-1, 1])
  return { value: ops.select(matrix.finite, perReplica, ops.double(Number.NaN)), gradient }
}

function byFormula(ops: Ops, loss: WeightedLoss, matrix: LayerMatrix): MatrixLoss {
  const formula = eigenLossFormula(loss.kind)
  if ('spectrum' in formula) return ofSpectrum(ops, formula.spectrum, loss, matrix)
  if ('covariance' in formula) return ofCovariance(ops, formula.covariance, loss, matrix)
  return ofVariances(ops, formula.variances, loss, matrix)
}

/** The value and the gradient are 0 if the matrix is all zeros. */
function ofSpectrum(
  ops: Ops,
  formula: SpectrumFormula,
  { center, parameters, weight }: WeightedLoss,
  matrix: LayerMatrix,
): MatrixLoss {
  const { width } = matrix
  const spectrum = matrix.spectrum(center)
  const { value, derivatives } = formula(ops, spectrum.singularValues, width, parameters)
  const gradient = spectrumGradient(ops, spectrum, ops.multiply(derivatives, weight), width)
  return {
    value: ops.select(spectrum.present, value, ops.double(0)),
    gradient: center ? ops.subtract(gradient, ops.mean(gradient, [1])) : gradient,
  }
}

/** ∂f/∂Z = (∂f/∂m + 2·(Z − m)·∂f/∂C) / N, as C = (Z − m)ᵀ(Z − m)/N and ∂f/∂C is symmetric. */
function ofCovariance(
  ops: Ops,
  formula: CovarianceFormula,
  { center, parameters, weight }: WeightedLoss,
  { width, count, mean, covariance, centred }: LayerMatrix,
): MatrixLoss {
  const { value, byMean, byCovariance } = formula(ops, { width, center, count, mean, covariance }, parameters)
  const { once, twice } = perImage(ops, weight, count)
  const gradient = ops.matMul(centred, ops.multiply(byCovariance, twice))
  return { value, gradient: byMean === null ? gradient : ops.add(gradient, ops.multiply(byMean, once)) }
}

/** ∂f/∂Z = (∂f/∂m + 2·(Z − m)·∂f/∂v) / N. */
function ofVariances(
  ops: Ops,
  formula: VariancesFormula,
  { parameters, weight }: WeightedLoss,
  { width, count, mean, variances, centred }: LayerMatrix,
): MatrixLoss {
  const { value, byMean, byVariances } = formula(ops, { width, count, mean, variances }, parameters)
  const { once, twice } = perImage(ops, weight, count)
  const gradient = ops.multiply(centred, ops.multiply(byVariances, twice))
  return { value, gradient: byMean === null ? gradient : ops.add(gradient, ops.multiply(byMean, once)) }
}

/** Returns weight/N and 2·weight/N. */
function perImage(ops: Ops, weight: Value, count: Value) {
  return ops.at('host', () => {
    const once = ops.divide(weight, count)
    return { once, twice: ops.add(once, once) }
  })
}
