import type { Value } from '../../engines/tensorflow-graph/builder.js'
import type { Ops } from '../../engines/tensorflow-graph/ops.js'

/** What an eigen loss makes of singular values [replicas][latent], largest first, in double. */
export interface EigenLossValue {
  /** f(σ) [replicas][1]. */
  readonly value: Value
  /** ∂f/∂σᵢ [replicas][latent]. */
  readonly derivatives: Value
}

/** The formula of an eigen loss: a row of the table in index.ts. No σ₁ is 0. */
export type EigenLossFormula = (
  ops: Ops,
  singularValues: Value,
  latent: number,
  parameters: Readonly<Record<string, number>>,
) => EigenLossValue
