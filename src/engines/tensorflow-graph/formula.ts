import type { Program } from '../../formulas/graph.js'
import { type InputName, isScalar, type Node } from '../../formulas/graph.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/**
 * The results of a formula: scalars are [replicas][1][1], vectors [replicas][1][width] and matrices
 * [replicas][width][width], all double. Axes of length 1 may be missing from what is the same for all replicas.
 */
interface FormulaValue {
  readonly value: Value
  readonly derivatives: ReadonlyMap<InputName, Value>
}

/**
 * The least number that is added to a determinant's diagonal, as a share of the trace: the rounding of a covariance matrix
 * is far below it, so that the matrix has a Cholesky factor however large its values are.
 */
const leastShare = 1e-13

/** Adds a formula to the graph. @param input returns an input's value, in the shapes of `FormulaValue` */
export function formulaValue(
  ops: Ops,
  { nodes, width, value, derivatives }: Program,
  input: (name: InputName) => Value,
): FormulaValue {
  const values = new Map<Node, Value>()
  // Nodes that depend on the number of images alone are computed where that number is.
  const ofBatch = new Set<Node>()
  for (const node of nodes) {
    if (node.name === 'n' || (node.op !== 'input' && node.args.every((arg) => ofBatch.has(arg))))
      ofBatch.add(node)
    const operands = node.args.map((arg) => values.get(arg)!)
    const build = () => translate(ops, node, operands, width, input)
    values.set(node, ofBatch.has(node) && isScalar(node) ? ops.at('host', build) : build())
  }
  const slopes = [...derivatives].map(([name, node]) => [name, values.get(node)!] as const)
  return { value: values.get(value)!, derivatives: new Map(slopes) }
}

function translate(
  ops: Ops,
  { op, args, shape, value, name }: Node,
  operands: readonly Value[],
  width: number,
  input: (name: InputName) => Value,
): Value {
  const [a, b] = operands as [Value, Value]
  const vector = (x: Value) => ops.reshape(x, [-1, 1, width])
  const ones = (count: number, of: number) =>
    ops.doubles(Array.from({ length: of }, (_, i) => (i < count ? 1 : 0)))
  const repeated = (x: Value) => {
    if (shape.kind !== 'matrix') return ops.multiply(ones(shape.size, shape.size), x)
    const row = ops.multiply(ones(width, width), x)
    return ops.multiply(row, ops.reshape(ones(width, width), [width, 1]))
  }
  const direct = translations[op]
  if (direct !== undefined) return direct(ops, a, b)
  switch (op) {
    case 'constant':
      return shape.kind === 'scalar' ? ops.double(value) : repeated(ops.double(value))
    case 'input':
      return input(name!)
    case 'fill':
      return repeated(a)
    case 'first':
      return ops.slice(a, ops.integers([0, 0, 0]), ops.integers([-1, 1, shape.size]))
    case 'extend':
      return isScalar(args[0]!)
        ? ops.multiply(ones(value, shape.size), a)
        : ops.matMul(
            a,
            ops.slice(identity(ops, shape.size), ops.integers([0, 0]), ops.integers([value, shape.size])),
          )
    case 'diagonal':
      return vector(ops.diagonal(a))
    case 'diagonalMatrix':
      return isScalar(args[0]!)
        ? ops.multiply(identity(ops, width), a)
        : ops.diagonalMatrix(ops.reshape(a, [-1, width]))
    // A graphics card takes longer for determinants of this size than the copy to the host and back.
    case 'cholesky':
      return ops.at('host', () => factor(ops, a, b))
    case 'logdet':
      return ops.at('host', () => {
        const logarithms = ops.sum(ops.logarithm(ops.diagonal(a)), [-1])
        return ops.reshape(ops.multiply(ops.double(2), logarithms), [-1, 1, 1])
      })
    case 'inverse':
      return ops.at('host', () => {
        const inverse = ops.solveLower(a, identity(ops, width))
        return ops.matMul(inverse, inverse, { transposeA: true })
      })
    default:
      throw new Error(`no translation of ${op}`)
  }
}

type Translation = (ops: Ops, a: Value, b: Value) => Value

/** Operations that depend on their operands alone. */
const translations: Partial<Record<Node['op'], Translation>> = {
  add: (ops, a, b) => ops.add(a, b),
  subtract: (ops, a, b) => ops.subtract(a, b),
  multiply: (ops, a, b) => ops.multiply(a, b),
  divide: (ops, a, b) => ops.divide(a, b),
  larger: (ops, a, b) => ops.maximum(a, b),
  greater: (ops, a, b) => ops.cast(ops.greater(a, b), 'double'),
  exp: (ops, a) => ops.exponential(a),
  log: (ops, a) => ops.logarithm(a),
  sqrt: (ops, a) => ops.squareRoot(a),
  sum: (ops, a) => ops.sum(a, [-2, -1]),
  largest: (ops, a) => ops.largest(a, [-2, -1]),
  offdiagonal: (ops, a) => ops.withDiagonal(a, ops.zerosLike(ops.diagonal(a))),
  outer: (ops, a) => ops.matMul(a, a, { transposeA: true }),
  product: (ops, a, b) => ops.matMul(b, a),
}

function identity(ops: Ops, width: number): Value {
  return ops.diagonalMatrix(ops.doubles(Array<number>(width).fill(1)))
}

/** Returns the lower triangular L with L·Lᵀ = matrix + shift · I. */
function factor(ops: Ops, matrix: Value, shift: Value): Value {
  const diagonal = ops.diagonal(matrix)
  const least = ops.multiply(ops.sum(diagonal, [-1]), ops.double(leastShare))
  const added = ops.maximum(ops.reshape(shift, [-1, 1]), least)
  return ops.cholesky(ops.withDiagonal(matrix, ops.add(diagonal, added)))
}
