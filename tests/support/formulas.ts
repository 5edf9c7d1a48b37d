import { eigenLossKinds } from '../../src/config/eigen-loss-kinds.js'
import type { InputName, Node, Program, Shape } from '../../src/formulas/graph.js'
import type { Formula } from '../../src/formulas/parse.js'

/** Returns the formula of a kind of eigen loss. */
export function formulaOfKind(
  kind: keyof typeof eigenLossKinds,
  parameters: Readonly<Record<string, number>> = {},
  center = false,
): Formula {
  return { text: eigenLossKinds[kind].formula, parameters, center }
}

/** Values of the inputs, by row: the statistics of a layer for a batch. */
export type Inputs = Readonly<Record<InputName, readonly number[]>>

/** Returns the elements of all nodes of a program. */
export function evaluate(program: Program, inputs: Inputs): ReadonlyMap<Node, readonly number[]> {
  const values = new Map<Node, readonly number[]>()
  for (const node of program.nodes)
    values.set(
      node,
      elementsOf(node, (arg) => values.get(arg)!, inputs, program.width),
    )
  return values
}

function elementsOf(
  { op, args, shape, value, name }: Node,
  of: (node: Node) => readonly number[],
  inputs: Inputs,
  width: number,
): readonly number[] {
  const [a = [], b = []] = args.map(of)
  const at = (values: readonly number[], i: number) => (values.length === 1 ? values[0]! : values[i]!)
  const each = (f: (x: number, y: number) => number) => elements(shape, (i) => f(at(a, i), at(b, i)))
  const onDiagonal = (i: number) => i % (width + 1) === 0
  const row = (i: number) => Math.floor(i / width)
  switch (op) {
    case 'constant':
      return elements(shape, () => value)
    case 'input':
      return inputs[name!]
    case 'add':
      return each((x, y) => x + y)
    case 'subtract':
      return each((x, y) => x - y)
    case 'multiply':
      return each((x, y) => x * y)
    case 'divide':
      return each((x, y) => x / y)
    case 'larger':
      return each(Math.max)
    case 'greater':
      return each((x, y) => (x > y ? 1 : x <= y ? 0 : Number.NaN))
    case 'exp':
      return each(Math.exp)
    case 'log':
      return each(Math.log)
    case 'sqrt':
      return each(Math.sqrt)
    case 'fill':
    case 'first':
      return elements(shape, (i) => at(a, i))
    case 'extend':
      return elements(shape, (i) => (i < value ? at(a, i) : 0))
    case 'diagonal':
      return elements(shape, (i) => a[i * (width + 1)]!)
    case 'diagonalMatrix':
      return elements(shape, (i) => (onDiagonal(i) ? at(a, row(i)) : 0))
    case 'sum':
      return [a.reduce((x, y) => x + y, 0)]
    case 'largest':
      return [Math.max(...a)]
    case 'offdiagonal':
      return elements(shape, (i) => (onDiagonal(i) ? 0 : a[i]!))
    case 'outer':
      return elements(shape, (i) => a[row(i)]! * a[i % width]!)
    case 'product':
      return elements(shape, (i) => b.reduce((sum, y, j) => sum + a[i * width + j]! * y, 0))
    case 'cholesky':
      return a.map((x, i) => (onDiagonal(i) ? x + b[0]! : x))
    case 'logdet':
      return [logarithmAndInverse(a, width).logarithm]
    case 'inverse':
      return logarithmAndInverse(a, width).inverse
  }
}

function elements({ size }: Shape, element: (i: number) => number): readonly number[] {
  return Array.from({ length: size }, (_, i) => element(i))
}

/** Returns the logarithm of the determinant and the inverse of a symmetric, positive definite matrix, by Gauss and Jordan. */
function logarithmAndInverse(matrix: readonly number[], width: number) {
  const rows = Array.from({ length: width }, (_, i) => [
    ...matrix.slice(i * width, (i + 1) * width),
    ...elements({ kind: 'vector', size: width }, (j) => (i === j ? 1 : 0)),
  ])
  let logarithm = 0
  for (const [k, pivotRow] of rows.entries()) {
    const pivot = pivotRow[k]!
    logarithm += Math.log(pivot)
    for (let j = 0; j < 2 * width; j++) pivotRow[j]! /= pivot
    for (const other of rows) {
      const factor = other === pivotRow ? 0 : other[k]!
      for (let j = 0; j < 2 * width; j++) other[j]! -= factor * pivotRow[j]!
    }
  }
  return { logarithm, inverse: rows.flatMap((row) => row.slice(width)) }
}
