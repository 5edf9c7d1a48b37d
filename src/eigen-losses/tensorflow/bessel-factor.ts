import type { Value } from '../../engines/tensorflow-graph/graph.js'
import type { Ops } from '../../engines/tensorflow-graph/ops.js'

/** Returns N/(N − 1), the factor from biased to unbiased (co)variances of N images. */
export function besselFactor(ops: Ops, count: Value): Value {
  return ops.at('host', () => ops.divide(count, ops.subtract(count, ops.double(1))))
}
