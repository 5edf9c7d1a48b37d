import type { AdamSpec } from '../engine.js'
import type { Value } from './builder.js'
import type { Ops } from './ops.js'

/** What changes from step to step, as floats. */
export interface AdamStep {
  readonly rate: number
  readonly epsilon: number
}

/**
 * TensorFlow's Adam leaves out the bias correction of ε that PyTorch's has; and its own correction, of the rate, starts
 * from powers in single precision. Both are in these two numbers instead, with the β that the op has: what 1 − β₂ loses in
 * single precision, 1.3e-5 of it, is then corrected as well. `step` counts from 1.
 */
export function adamStep(adam: AdamSpec, step: number): AdamStep {
  const root = Math.sqrt(1 - Math.fround(adam.beta2) ** step)
  const rate = (adam.learningRate * root) / (1 - Math.fround(adam.beta1) ** step)
  return { rate, epsilon: adam.epsilon * root }
}

/** The op's inputs but for the variables: powers of 0 switch its own correction off. */
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

/** Updates a parameter and its two moments in place, once the ops of `after` no longer read it. */
export function applyAdam(
  ops: Ops,
  { rate, epsilon, beta1, beta2, power }: AdamInputs,
  variables: readonly [parameter: Value, firstMoment: Value, secondMoment: Value],
  gradient: Value,
  after: readonly Value[],
): void {
  const inputs = [...variables, power, power, rate, beta1, beta2, epsilon, gradient]
  const attributes = { T: { type: 'float' as const }, use_locking: false, use_nesterov: false }
  ops.builder.effect('ResourceApplyAdam', inputs, attributes, after)
}
