import { batchNormEpsilon } from '../../model/architecture.js'
import type { Value } from './builder.js'
import type { Ops } from './ops.js'
import type { LayerValues } from './variables.js'

const momentum = 0.1

/** Of a batch [replicas][batch][outputs]; the moments are [replicas][1][outputs]. */
export interface BatchMoments {
  /** Of the linear map without its bias, which the mean takes away again. */
  readonly mean: Value
  readonly variance: Value
  /** 1 / deviation */
  readonly inverse: Value
  /** (x − mean) / deviation */
  readonly normalised: Value
}

/** gamma · (x − mean) / sqrt(variance + ε) + beta by the batch's own moments, the variance biased. */
export function normaliseBatch(ops: Ops, x: Value, { gamma, beta }: LayerValues) {
  const mean = ops.mean(x, [1])
  const shifted = ops.subtract(x, mean)
  const variance = ops.mean(ops.square(shifted), [1])
  const inverse = ops.inverseSquareRoot(ops.add(variance, ops.float(batchNormEpsilon)))
  const normalised = ops.multiply(shifted, inverse)
  const output = ops.add(ops.multiply(normalised, gamma!), beta!)
  return { output, moments: { mean, variance, inverse, normalised } satisfies BatchMoments }
}

/** The same by the running statistics. */
export function normaliseByStatistics(ops: Ops, x: Value, values: LayerValues): Value {
  const { gamma, beta, running_mean, running_var } = values
  const inverse = ops.inverseSquareRoot(ops.add(running_var!, ops.float(batchNormEpsilon)))
  return ops.add(ops.multiply(ops.subtract(x, running_mean!), ops.multiply(gamma!, inverse)), beta!)
}

/** Gradients at a batch norm from that behind it: at x, at gamma and at beta. */
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

/** Running statistics moved towards the batch's: the mean with the bias, the variance unbiased. */
export function movedStatistics(ops: Ops, moments: BatchMoments, values: LayerValues, count: Value) {
  const rate = ops.float(momentum)
  const move = (running: Value, towards: Value) =>
    ops.add(running, ops.multiply(rate, ops.subtract(towards, running)))
  // A batch of one image has no unbiased variance and moves nothing.
  const several = ops.greater(count, ops.float(1))
  const others = ops.select(several, ops.subtract(count, ops.float(1)), ops.float(1))
  const unbiased = ops.multiply(moments.variance, ops.divide(count, others))
  const mean = ops.add(moments.mean, values.bias!)
  return {
    running_mean: ops.select(several, move(values.running_mean!, mean), values.running_mean!),
    running_var: ops.select(several, move(values.running_var!, unbiased), values.running_var!),
  }
}
