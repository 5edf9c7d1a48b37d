import type { InputName, Node, Shape } from './graph.js'
import type { Program } from './program.js'

/** Values of the inputs, by row: the statistics of a layer for a batch. */
export type Inputs = Readonly<Record<InputName, readonly number[]>>

/** Probes of wide layers would take too long. Constants that only a probe finds are of narrow layers. */
const widest = 8
const probes = 3

type Probed = Pick<Program, 'nodes' | 'width' | 'derivatives'>

/**
 * Returns whether all derivatives are 0 but for rounding, at layers of random values. The comparisons in derivatives, which
 * choose a branch, have random results instead: at a probe, the branch that is not constant might not be chosen.
 */
export function isAlwaysZero(program: Probed): boolean {
  if (program.width > widest) return false
  return Array.from({ length: probes }, (_, i) => isZeroAt(program, i + 1)).every(Boolean)
}

function isZeroAt(program: Probed, seed: number): boolean {
  const random = randomNumbers(seed)
  const inputs = randomInputs(program.width, random)
  const values = evaluate(program, inputs, () => 0.5 + random())
  const steepest = [...program.derivatives].flatMap(([name, node]) => {
    return values.get(node)!.map((slope, i) => Math.abs(slope * inputs[name][i]!))
  })
  const largest = Math.max(...[...values.values()].flat().filter(Number.isFinite).map(Math.abs))
  return Math.max(...steepest) <= 1e-13 * Math.max(1, largest)
}

/** Returns the elements of all nodes of a program. */
export function evaluate(
  { nodes, width }: Pick<Program, 'nodes' | 'width'>,
  inputs: Inputs,
  greater = (x: number, y: number): number => (x > y ? 1 : x <= y ? 0 : Number.NaN),
): ReadonlyMap<Node, readonly number[]> {
  const values = new Map<Node, readonly number[]>()
  for (const node of nodes)
    values.set(
      node,
      elementsOf(node, (arg) => values.get(arg)!, inputs, width, greater),
    )
  return values
}

function elementsOf(
  { op, args, shape, value, name }: Node,
  of: (node: Node) => readonly number[],
  inputs: Inputs,
  width: number,
  greater: (x: number, y: number) => number,
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
      return each(greater)
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

/** Returns the statistics of a layer whose units have different scales, for a batch of more images than dimensions. */
function randomInputs(width: number, random: () => number): Inputs {
  const n = 2 * width + 3
  const z = Array.from({ length: n }, () =>
    Array.from({ length: width }, (_, i) => (2 + i) * (random() - 0.4)),
  )
  const mean = Array.from({ length: width }, (_, i) => z.reduce((sum, row) => sum + row[i]!, 0) / n)
  const product = (i: number, j: number) =>
    z.reduce((sum, row) => sum + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / n
  const covariance = elements({ kind: 'matrix', size: width ** 2 }, (i) =>
    product(Math.floor(i / width), i % width),
  )
  const variance = mean.map((_, i) => covariance[i * (width + 1)]!)
  const sigma = mean.map(() => 0.5 + 3 * random()).toSorted((a, b) => b - a)
  return { n: [n], mean, variance, covariance, sigma }
}

/** Returns a generator of numbers from 0 to 1 (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}
