import type { EngineEigenLoss } from '../../eigen-losses/index.js'
import { eigenLossFormula } from '../../eigen-losses/tensorflow/index.js'
import type { Value } from './builder.js'
import type { Ops } from './ops.js'
import { codeGradient, type Spectrum, spectrumOf } from './spectrum.js'

/** The eigen losses' share of a batch's loss. */
export interface EigenLossTerm {
  /** The unweighted values' sum [replicas]. */
  readonly value: Value
  /** Σ weight · value [replicas]. */
  readonly weighted: Value
  /** The gradient of `weighted` at the codes [replicas][batch][latent]. */
  readonly gradient: Value
  /** That summed over the batch [replicas][latent], before it was rounded: 0 where all eigen losses are of centred codes. */
  readonly gradientSums: Value
}

/** Of codes [replicas][batch][latent], floats; computed in double, given back as floats. */
export function eigenLossTerm(
  ops: Ops,
  eigenLosses: readonly EngineEigenLoss[],
  codes: Value,
  latent: number,
  largestBatch: number,
): EigenLossTerm {
  const exact = ops.cast(codes, 'double')
  const spectra = new Map<boolean, Spectrum>()
  const parts = eigenLosses.map((eigenLoss) => {
    const { center } = eigenLoss
    const spectrum =
      spectra.get(center) ?? spectrumOf(ops, center ? centred(ops, exact) : exact, latent, largestBatch)
    spectra.set(center, spectrum)
    return weightedPart(ops, eigenLoss, spectrum, latent)
  })
  const sum = (values: readonly Value[]) => values.reduce((total, value) => ops.add(total, value))
  const perReplica = (values: readonly Value[]) => ops.reshape(ops.cast(sum(values), 'float'), [-1])
  const gradient = sum(parts.map((part) => part.gradient))
  return {
    value: perReplica(parts.map(({ value }) => value)),
    weighted: perReplica(parts.map(({ weighted }) => weighted)),
    gradient: ops.cast(gradient, 'float'),
    gradientSums: ops.cast(ops.sum(gradient, [1]), 'float'),
  }
}

/** Where all codes are 0 there is no direction to prefer: no value and no gradient. What is not finite gives NaN. */
function weightedPart(ops: Ops, eigenLoss: EngineEigenLoss, spectrum: Spectrum, latent: number) {
  const { kind, weight, center, parameters } = eigenLoss
  const { value, derivatives } = eigenLossFormula(kind)(ops, spectrum.singularValues, latent, parameters)
  const scaled = ops.multiply(derivatives, ops.double(weight))
  const gradient = codeGradient(ops, spectrum, scaled, latent)
  const defined = ops.select(spectrum.present, value, ops.double(0))
  const told = ops.select(spectrum.finite, defined, ops.double(Number.NaN))
  return {
    value: told,
    weighted: ops.multiply(told, ops.double(weight)),
    gradient: center ? centred(ops, gradient) : gradient,
  }
}

function centred(ops: Ops, codes: Value): Value {
  return ops.subtract(codes, ops.mean(codes, [1]))
}
