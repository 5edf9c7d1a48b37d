import type { TensorKind } from '../../model/layout.js'
import { learningRateAt } from '../../model/schedule.js'
import type { AdamSpec, OptimizerSpec, SgdSpec } from '../engine.js'
import type { Op, Value } from './graph.js'
import type { Ops } from './ops.js'

/** The optimiser's numbers that change from step to step. */
export interface OptimizerStep {
  readonly rate: number
  /** Adam's ε; 0 for SGD. */
  readonly epsilon: number
  /** The factor of the weights before they are updated: 1 without weight decay. */
  readonly decay: number
}

/**
 * Returns the numbers of a step, counted from 0. Adam's have PyTorch's bias corrections included: TensorFlow's op
 * corrects only the rate, from powers of β in single precision, and not ε; its own correction is switched off. β is rounded
 * to single precision first, as the op rounds it: this corrects the relative error of 1.3e-5 that 1 − β₂ has there.
 */
export function optimizerStep(optimizer: OptimizerSpec, step: number): OptimizerStep {
  const rate = learningRateAt(optimizer, step)
  if (optimizer.kind === 'sgd') return { rate, epsilon: 0, decay: 1 }
  const { beta1, beta2, epsilon, weightDecay } = optimizer
  const root = Math.sqrt(1 - Math.fround(beta2) ** (step + 1))
  return {
    rate: (rate * root) / (1 - Math.fround(beta1) ** (step + 1)),
    epsilon: epsilon * root,
    decay: 1 - rate * weightDecay,
  }
}

/** The same numbers in the graph, scalars. */
export type OptimizerStepValues = Readonly<Record<keyof OptimizerStep, Value>>

/** The variables of a parameter: SGD's buffer of the momentum is the first moment. */
export interface ParameterVariables {
  readonly kind: TensorKind
  readonly parameter: Value
  readonly firstMoment: Value
  readonly secondMoment: Value
}

/** Updates a parameter and its moments in place once the ops of `after`, which read the parameter, have run. */
export type Update = (variables: ParameterVariables, gradient: Value, after: readonly Op[]) => Op

export function optimizerUpdate(ops: Ops, optimizer: OptimizerSpec, step: OptimizerStepValues): Update {
  return optimizer.kind === 'sgd' ? sgdUpdate(ops, optimizer, step) : adamUpdate(ops, optimizer, step)
}

/** A power of 0 switches the op's own bias correction off. */
function adamUpdate(ops: Ops, { beta1, beta2, weightDecay }: AdamSpec, step: OptimizerStepValues): Update {
  const power = ops.float(0)
  const numbers = [power, power, step.rate, ops.float(beta1), ops.float(beta2), step.epsilon]
  const attributes = { T: { type: 'float' as const }, use_locking: false, use_nesterov: false }
  return ({ kind, parameter, firstMoment, secondMoment }, gradient, after) => {
    const decays = weightDecay !== 0 && kind === 'weight'
    const before = decays ? [decayed(ops, parameter, step.decay, after)] : after
    const inputs = [parameter, firstMoment, secondMoment, ...numbers, gradient]
    return ops.graph.effect('ResourceApplyAdam', inputs, attributes, before)
  }
}

/** Decoupled weight decay: Loshchilov and Hutter, 2019 (AdamW). */
function decayed(ops: Ops, parameter: Value, factor: Value, after: readonly Op[]): Op {
  return ops.assign(parameter, ops.multiply(ops.read(parameter, 'float', after), factor))
}

function sgdUpdate(ops: Ops, { momentum, nesterov }: SgdSpec, { rate }: OptimizerStepValues): Update {
  const attributes = { T: { type: 'float' as const }, use_locking: false, use_nesterov: nesterov }
  return ({ parameter, firstMoment }, gradient, after) => {
    const inputs = [parameter, firstMoment, rate, gradient, ops.float(momentum)]
    return ops.graph.effect('ResourceApplyMomentum', inputs, attributes, after)
  }
}
