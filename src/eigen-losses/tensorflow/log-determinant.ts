import type { Value } from '../../engines/tensorflow-graph/graph.js'
import type { Ops } from '../../engines/tensorflow-graph/ops.js'

/**
 * The least number added to the diagonal, as a share of the trace: the rounding of a covariance matrix is far below it, so
 * that the matrix has a Cholesky factor however large its values are. It exceeds an ε of 0.01 from a trace of 1e11 on.
 */
const leastShare = 1e-13

/**
 * Returns ln det(S + εI) [replicas][1][1] and its derivatives by S, the inverse of S + εI, for covariance matrices S
 * [replicas][width][width]. They are computed on the host: a graphics card takes longer for a matrix of this size than
 * the copy there and back.
 */
export function logDeterminant(ops: Ops, covariance: Value, epsilon: number, width: number) {
  return ops.at('host', () => {
    const variances = ops.diagonal(covariance)
    const trace = ops.sum(variances, [1])
    const shift = ops.maximum(ops.double(epsilon), ops.multiply(trace, ops.double(leastShare)))
    const lower = ops.cholesky(ops.withDiagonal(covariance, ops.add(variances, shift)))
    const logarithms = ops.logarithm(ops.diagonal(lower))
    const value = ops.multiply(ops.double(2), ops.sum(logarithms, [1]))
    const identity = ops.diagonalMatrix(ops.doubles(Array<number>(width).fill(1)))
    const inverseLower = ops.solveLower(lower, identity)
    return {
      value: ops.reshape(value, [-1, 1, 1]),
      inverse: ops.matMul(inverseLower, inverseLower, { transposeA: true }),
    }
  })
}
