import type { EarlierSpec } from '../earlier-spec.js'

type AdamSpec = EarlierSpec['adam']

import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/** Adam's numbers that change from step to step. */
export interface AdamStep {
  readonly rate: number
  readonly epsilon: number
}

/**
 * Returns the learning rate and ε of a step, counted from 1, with PyTorch's bias corrections included. TensorFlow's op
 * corrects only the rate, from powers of β in single precision, and not ε; its own correction is switched off. β is rounded
 * to single precision first, as the op rounds it: this corrects the relative error of 1.3e-5 that 1 − β₂ has there.
 */
export function adamStep(adam: AdamSpec, step: number): AdamStep {
  const root = Math.sqrt(1 - Math.fround(adam.beta2) ** step)
  const rate = (adam.learningRate * root) / (1 - Math.fround(adam.beta1) ** step)
  return { rate, epsilon: adam.epsilon * root }
}

/** The op's inputs besides the variables. A power of 0 switches its own bias correction off. */
export interface AdamInputs {
  readonly rate: Value
  readonly epsilon: Value
  readonly beta1: Value
  readonly beta2: Value
  readonly power: Value
}

export function adamInputs(ops: Ops, { beta1, beta2 }: AdamSpec, rate: Value, epsilon: Value): AdamInputs {
  return { rate, epsilon, beta1: ops.float(beta1), beta2: ops.float(beta2), power: ops.float(0) }
}

/** Updates a parameter and its two moments in place once the ops of `after`, which read the parameter, have run. */
export function applyAdam(
  ops: Ops,
  { rate, epsilon, beta1, beta2, power }: AdamInputs,
  variables: readonly [parameter: Value, firstMoment: Value, secondMoment: Value],
  gradient: Value,
  after: readonly Value[],
): void {
  const inputs = [...variables, power, power, rate, beta1, beta2, epsilon, gradient]
  const attributes = { T: { type: 'float' as const }, use_locking: false, use_nesterov: false }
  ops.graph.effect('ResourceApplyAdam', inputs, attributes, after)
}
