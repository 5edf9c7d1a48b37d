import { philox4x32 } from '../model/random.js'
import { elementwise, type InputName, isElementwise, type Node, type Program, type Shape } from './graph.js'

/** Values of the inputs, by row: the statistics of a layer for a batch. */
export type Inputs = Readonly<Record<InputName, readonly number[]>>

/** Probes of wide layers would take too long. Constants that only a probe finds are of narrow layers. */
const widest = 8
/** Factors of the layer's values, at some of which a derivative may be too small to be seen. */
const scales = [1e-3, 1, 1e3]

type Probed = Pick<Program, 'nodes' | 'width' | 'value' | 'derivatives'>

/**
 * Returns whether the value is the same, and all derivatives are 0 but for rounding, at layers of random values. Where a
 * formula chooses the larger of two values, a random mixture of both is taken: the branch that is not constant might not
 * be chosen.
 */
export function seemsConstant(program: Probed): boolean {
  if (program.width > widest) return false
  const found = scales.map((scale) => probe(program, scale))
  const first = found[0]!.value
  const isSame = (value: number) => Math.abs(value - first) <= 1e-6 * Math.max(1, Math.abs(first))
  return found.every(({ value, isFlat }) => isFlat && isSame(value))
}

function probe(program: Probed, scale: number) {
  const inputs = randomInputs(program.width, scale)
  const ids = new Map(program.nodes.map((node, i) => [node, i]))
  const share = (a: Node, b: Node, i: number) => random(1, ids.get(a)!, ids.get(b)!, i)
  const values = evaluate(program, inputs, share)
  const steepest = [...program.derivatives].flatMap(([name, node]) => {
    return values.get(node)!.map((slope, i) => Math.abs(slope * inputs[name][i]!))
  })
  const largest = Math.max(...[...values.values()].flat().filter(Number.isFinite).map(Math.abs))
  const isFlat = Math.max(...steepest) <= 1e-13 * Math.max(1, largest)
  return { value: values.get(program.value)![0]!, isFlat }
}

/** The share of `a` in the mixture that stands for the larger element of `a` and `b`, by the element's position. */
type Share = (a: Node, b: Node, i: number) => number

/** Returns the elements of all nodes of a program. @param share for mixtures in place of the larger elements */
export function evaluate(
  program: Pick<Program, 'nodes' | 'width'>,
  inputs: Inputs,
  share: Share | null = null,
): ReadonlyMap<Node, readonly number[]> {
  const values = new Map<Node, readonly number[]>()
  const of = (arg: Node) => values.get(arg)!
  for (const node of program.nodes) {
    const mixed = share === null ? null : mixture(node, of, share)
    values.set(node, mixed ?? elementsOf(node, of, inputs, program.width))
  }
  return values
}

/** Returns the elements of a node that compares, null for any other. The largest element is a mixture of all of them. */
function mixture(
  { op, args, shape }: Node,
  of: (node: Node) => readonly number[],
  share: Share,
): readonly number[] | null {
  const [a, b = a] = args as [Node, Node?]
  // In the derivative of the largest element, its comparison with each element gives the share of the others.
  const isOfLargest = a?.op === 'largest' && a.args[0] === b
  const shareAt = (i: number) => (isOfLargest ? 1 - share(b, b, i) : share(a, b, i))
  const at = (values: readonly number[], i: number) => (values.length === 1 ? values[0]! : values[i]!)
  switch (op) {
    case 'larger':
      return elements(shape, (i) => shareAt(i) * at(of(a), i) + (1 - shareAt(i)) * at(of(b), i))
    case 'greater':
      return elements(shape, shareAt)
    case 'largest': {
      const shares = of(a).map((_, i) => share(a, a, i))
      const total = shares.reduce((x, y) => x + y, 0)
      return [of(a).reduce((sum, x, i) => sum + (x * shares[i]!) / total, 0)]
    }
    default:
      return null
  }
}

function elementsOf(
  { op, args, shape, value, name }: Node,
  of: (node: Node) => readonly number[],
  inputs: Inputs,
  width: number,
): readonly number[] {
  const [a = [], b = []] = args.map(of)
  const at = (values: readonly number[], i: number) => (values.length === 1 ? values[0]! : values[i]!)
  const onDiagonal = (i: number) => i % (width + 1) === 0
  const row = (i: number) => Math.floor(i / width)
  if (isElementwise(op)) return elements(shape, (i) => elementwise[op](at(a, i), at(b, i)))
  switch (op) {
    case 'constant':
      return elements(shape, () => value)
    case 'input':
      return inputs[name!]
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

/** Returns the statistics of a layer whose units have different scales, for a batch of more images than dimensions. */
function randomInputs(width: number, scale: number): Inputs {
  const n = 2 * width + 3
  const z = Array.from({ length: n }, (_, k) =>
    Array.from({ length: width }, (_, i) => scale * (2 + i) * (random(2, k, i) - 0.4)),
  )
  const mean = Array.from({ length: width }, (_, i) => z.reduce((sum, row) => sum + row[i]!, 0) / n)
  const product = (i: number, j: number) =>
    z.reduce((sum, row) => sum + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / n
  const covariance = elements({ kind: 'matrix', size: width ** 2 }, (i) =>
    product(Math.floor(i / width), i % width),
  )
  const variance = mean.map((_, i) => covariance[i * (width + 1)]!)
  const sigma = mean.map((_, i) => scale * (0.5 + 3 * random(3, i))).toSorted((a, b) => b - a)
  return { n: [n], mean, variance, covariance, sigma }
}

/** Returns a number from 0 to 1 for a purpose and a place. */
function random(purpose: number, ...place: readonly number[]): number {
  const [a = 0, b = 0, c = 0] = place
  return philox4x32([a, b, c, 0], [purpose, 0])[0]! / 2 ** 32
}
