import type { Value } from '../../engines/tensorflow-graph/graph.js'
import type { Ops } from '../../engines/tensorflow-graph/ops.js'

/** An eigen loss as a function of the singular values [replicas][latent], in double. */
export interface EigenLossValue {
  /** f(σ) [replicas][1]. */
  readonly value: Value
  /** ∂f/∂σᵢ [replicas][latent]. */
  readonly derivatives: Value
}

/**
 * The formula of an eigen loss in TensorFlow's ops, a row of the table in index.ts.
 * @param singularValues [replicas][latent], the largest first; σ₁ is never 0
 */
export type EigenLossFormula = (
  ops: Ops,
  singularValues: Value,
  latent: number,
  parameters: Readonly<Record<string, number>>,
) => EigenLossValue
