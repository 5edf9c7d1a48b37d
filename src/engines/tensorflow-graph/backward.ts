import type { TensorKind } from '../../model/layout.js'
import { normaliseBackward } from './batch-norm.js'
import type { Value } from './builder.js'
import type { EigenLossTerm } from './eigen-loss-term.js'
import type { Pass } from './forward.js'
import type { Ops } from './ops.js'

/** The gradients at one layer's parameters, and the last op that reads its weight. */
export interface LayerGradients {
  readonly gradients: Readonly<Partial<Record<TensorKind, Value>>>
  readonly after: readonly Value[]
}

/** The way back: `gradient` is that at the last layer before its activation, [replicas][batch][outputs]. */
export function backward(
  ops: Ops,
  passes: readonly Pass[],
  gradient: Value,
  eigenLoss: EigenLossTerm | null,
): readonly LayerGradients[] {
  const bottleneck = passes.length / 2 - 1
  const all: LayerGradients[] = []
  let behind = gradient
  for (let position = passes.length - 1; position >= 0; position--) {
    const pass = passes[position]!
    const term = position === bottleneck ? eigenLoss : null
    if (term !== null) behind = ops.add(behind, term.gradient)
    if (pass.layer.activation === 'relu') behind = ops.reluGradient(behind, pass.output)
    const { linear, vectors } = throughNorm(ops, pass, behind)
    if (position === bottleneck && pass.moments !== null && passes[position + 1]!.moments !== null)
      vectors.beta = betaOfEigenLoss(ops, pass, term)
    const weight = ops.matMul(linear, pass.input, { transposeA: true })
    if (position > 0) behind = ops.matMul(linear, pass.values.weight!)
    all.unshift({ gradients: { weight, ...vectors }, after: position > 0 ? [behind] : [] })
  }
  return all
}

/** A bias that batch norm takes away again has no gradient. */
function throughNorm(ops: Ops, { moments, values }: Pass, gradient: Value) {
  const vectors: Partial<Record<TensorKind, Value>> = {}
  if (moments === null) {
    vectors.bias = ops.sum(gradient, [1])
    return { linear: gradient, vectors }
  }
  const { x, gamma, beta } = normaliseBackward(ops, moments, values.gamma!, gradient)
  return { linear: x, vectors: { gamma, beta } as typeof vectors }
}

/** Nor has beta where another batch norm follows with no activation between: there, only the eigen losses have a say. */
function betaOfEigenLoss(ops: Ops, { values }: Pass, term: EigenLossTerm | null): Value {
  if (term !== null) return term.gradientSums
  return ops.multiply(values.beta!, ops.float(0))
}
