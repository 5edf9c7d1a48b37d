import type { Value } from '../../engines/tensorflow-graph/graph.js'
import type { Ops } from '../../engines/tensorflow-graph/ops.js'

/**
 * The formula of an eigen loss f(Z), Z a layer's matrix [batch][width], by what f is a function of: a row of the table in
 * index.ts. All values are doubles.
 */
export type EigenLossFormula =
  | { readonly spectrum: SpectrumFormula }
  | { readonly covariance: CovarianceFormula }
  | { readonly variances: VariancesFormula }

export type Parameters = Readonly<Record<string, number>>

/** A function of the singular values of Z, which is centred if the eigen loss is. */
export type SpectrumFormula = (
  ops: Ops,
  /** σ [replicas][width], the largest first; σ₁ is never 0. */
  singularValues: Value,
  width: number,
  parameters: Parameters,
) => SpectrumValue

export interface SpectrumValue {
  /** f [replicas][1]. */
  readonly value: Value
  /** ∂f/∂σᵢ [replicas][width]. */
  readonly derivatives: Value
}

/** A function of the means and variances of Z's columns. */
export type VariancesFormula = (ops: Ops, moments: Variances, parameters: Parameters) => VariancesValue

export interface Variances {
  readonly width: number
  /** Images in the batch, N: a scalar. */
  readonly count: Value
  /** m [replicas][1][width]. */
  readonly mean: Value
  /** v [replicas][1][width], biased: divided by N. */
  readonly variances: Value
}

export interface VariancesValue {
  /** f [replicas][1][1]. */
  readonly value: Value
  /** ∂f/∂mᵢ [replicas][1][width]; null if f does not depend on the means. */
  readonly byMean: Value | null
  /** ∂f/∂vᵢ [replicas][1][width]. */
  readonly byVariances: Value
}

/** A function of the means and covariances of Z's columns. */
export type CovarianceFormula = (ops: Ops, moments: Covariance, parameters: Parameters) => CovarianceValue

export interface Covariance {
  readonly width: number
  /** Whether the eigen loss is of the centred matrix. */
  readonly center: boolean
  /** Images in the batch, N: a scalar. */
  readonly count: Value
  /** m [replicas][1][width]. */
  readonly mean: Value
  /** C [replicas][width][width], biased: divided by N. */
  readonly covariance: Value
}

export interface CovarianceValue {
  /** f [replicas][1][1]. */
  readonly value: Value
  /** ∂f/∂mᵢ [replicas][1][width]; null if f does not depend on the means. */
  readonly byMean: Value | null
  /** ∂f/∂Cᵢⱼ [replicas][width][width], symmetric, each element of C counted as a variable of its own. */
  readonly byCovariance: Value
}
