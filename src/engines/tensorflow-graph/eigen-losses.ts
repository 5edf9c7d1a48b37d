import type { EigenLossSpec } from '../engine.js'
import type { Value } from './graph.js'
import { LayerMatrix } from './layer-matrix.js'
import { lossOfMatrix } from './matrix-loss.js'
import type { Ops } from './ops.js'

/** The eigen losses of a batch. */
export interface EigenLossTerms {
  /** In the order of the eigen losses. */
  readonly losses: readonly TermLosses[]
  /** The sums of their gradients at each layer's matrix, by the layer's position in the forward pass. */
  readonly gradients: ReadonlyMap<number, MatrixGradient>
}

/** The values of one eigen loss, each [replicas]. */
export interface TermLosses {
  /** Unweighted, the mean over the layers. */
  readonly value: Value
  readonly weighted: Value
}

export interface MatrixGradient {
  /** [replicas][batch][width] */
  readonly gradient: Value
  /** `gradient` summed over the batch before rounding, [replicas][1][width]. */
  readonly sums: Value
}

/** An eigen loss with its weight at the step, a double. */
export interface WeightedEigenLoss {
  readonly spec: EigenLossSpec
  readonly weight: Value
}

/** The matrices of the layers in a batch. */
export interface LayerMatrices {
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

/** Computes the eigen losses of a batch: floats in and out, double between. */
export function eigenLossTerms(
  ops: Ops,
  eigenLosses: readonly WeightedEigenLoss[],
  { at, widths, count, largestBatch }: LayerMatrices,
): EigenLossTerms {
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

/** Adds the gradients of an eigen loss to its layers. */
function addTerm(ops: Ops, { spec, weight }: WeightedEigenLoss, layers: readonly LossLayer[]): TermLosses {
  const own = layers.filter(({ position }) => spec.layers.includes(position))
  const mean = (total: Value) => (own.length === 1 ? total : ops.multiply(total, ops.double(1 / own.length)))
  const layerWeight = ops.at('host', () => mean(weight))
  const values = own.map(({ matrix, gradients }) => {
    const { value, gradient } = lossOfMatrix(ops, { formula: spec.formula, weight: layerWeight }, matrix)
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
