import { batchNormEpsilon } from '../../model/architecture.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import type { LayerValues } from './variables.js'

/** PyTorch's default: the batch's share of the new running statistics. */
const momentum = 0.1

/** The moments of a batch [replicas][batch][outputs], each [replicas][1][outputs]. */
export interface BatchMoments {
  /** Mean of the linear map without its bias: batch norm cancels the bias, so it is not added. */
  readonly mean: Value
  readonly variance: Value
  /** 1 / deviation */
  readonly inverse: Value
  /** (x − mean) / deviation, [replicas][batch][outputs] */
  readonly normalised: Value
}

/** Returns gamma · (x − mean) / sqrt(variance + ε) + beta with the batch's own mean and biased variance. */
export function normaliseBatch(ops: Ops, x: Value, { gamma, beta }: LayerValues) {
  const mean = ops.mean(x, [1])
  const shifted = ops.subtract(x, mean)
  const variance = ops.mean(ops.square(shifted), [1])
  const inverse = ops.inverseSquareRoot(ops.add(variance, ops.float(batchNormEpsilon)))
  const normalised = ops.multiply(shifted, inverse)
  const output = ops.add(ops.multiply(normalised, gamma!), beta!)
  return { output, moments: { mean, variance, inverse, normalised } satisfies BatchMoments }
}

/** Returns the same with the running statistics in place of the batch's moments. */
export function normaliseByStatistics(ops: Ops, x: Value, values: LayerValues): Value {
  const { gamma, beta, running_mean, running_var } = values
  const inverse = ops.inverseSquareRoot(ops.add(running_var!, ops.float(batchNormEpsilon)))
  return ops.add(ops.multiply(ops.subtract(x, running_mean!), ops.multiply(gamma!, inverse)), beta!)
}

/** Returns the gradients at x, gamma and beta from the gradient at the batch norm's output. */
export function normaliseBackward(
  ops: Ops,
  { inverse, normalised }: BatchMoments,
  gamma: Value,
  gradient: Value,
) {
  const product = ops.multiply(gradient, normalised)
  const shift = ops.mean(gradient, [1])
  const slope = ops.multiply(normalised, ops.mean(product, [1]))
  const rest = ops.subtract(ops.subtract(gradient, shift), slope)
  return {
    x: ops.multiply(rest, ops.multiply(gamma, inverse)),
    gamma: ops.sum(product, [1]),
    beta: ops.sum(gradient, [1]),
  }
}

/** Returns the running statistics after a batch of `count` images: the mean includes the bias, the variance is unbiased. */
export function updateStatistics(ops: Ops, moments: BatchMoments, values: LayerValues, count: Value) {
  const rate = ops.float(momentum)
  const move = (running: Value, towards: Value) =>
    ops.add(running, ops.multiply(rate, ops.subtract(towards, running)))
  // A batch of one image has no unbiased variance and changes nothing.
  const several = ops.greater(count, ops.float(1))
  const others = ops.select(several, ops.subtract(count, ops.float(1)), ops.float(1))
  const unbiased = ops.multiply(moments.variance, ops.divide(count, others))
  const mean = ops.add(moments.mean, values.bias!)
  return {
    running_mean: ops.select(several, move(values.running_mean!, mean), values.running_mean!),
    running_var: ops.select(several, move(values.running_var!, unbiased), values.running_var!),
  }
}
