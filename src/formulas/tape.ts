import {
  elementwise,
  inputNames,
  isConstant,
  isElementwise,
  isScalar,
  type Node,
  type Operation,
  type Program,
} from './graph.js'
import { isInstruction } from './program.js'

/**
 * A program as numbers, which native/formulas/execute.h executes: straight-line code on a scratch of doubles. All places
 * are offsets in the scratch, which begins with the constants.
 */
export interface Tape {
  /**
   * The size of the scratch, the place of the value, the places of the inputs n, sigma, mean, variance and covariance, and
   * of the derivatives with respect to the last four; `nowhere` for those that do not occur. Then the instructions, of
   * `instructionWords` each: operation, count, place of the result, place and stride of a, place and stride of b.
   */
  readonly words: Uint32Array
  readonly constants: Float64Array
}

export const nowhere = 2 ** 32 - 1
const instructionWords = 7

/** Operations in the order of native/formulas/execute.h. All copies are one operation. */
const operations: readonly string[] = [
  ...Object.keys(elementwise),
  'sum',
  'largest',
  'copy',
  'offdiagonal',
  'outer',
  'product',
  'cholesky',
  'logdet',
  'inverse',
]

/** Matrices begin at multiples of 8 doubles, as aligned vectors need it. */
const alignment = 8

/** Returns the tape of a program. A place is used again after the last use of its elements. */
export function tapeOf({ nodes, width, value, derivatives }: Program): Tape {
  const constants = [...new Set(nodes.filter((x) => isConstant(x)).map((x) => x.value))]
  const code = nodes.filter(isInstruction)
  const inputNodes = nodes.filter(({ op }) => op === 'input')
  const lastUse = new Map(code.flatMap((node, i) => node.args.map((arg) => [arg, i] as const)))
  for (const node of [value, ...derivatives.values(), ...inputNodes]) lastUse.delete(node)

  const places = new Map<Node, number>()
  for (const node of nodes) if (isConstant(node)) places.set(node, constants.indexOf(node.value))
  const free = new Map<number, number[]>()
  let size = constants.length
  const allocate = (node: Node) => {
    const reused = free.get(node.shape.size)?.pop()
    if (reused === undefined && !isScalar(node)) size = Math.ceil(size / alignment) * alignment
    places.set(node, reused ?? size)
    if (reused === undefined) size += node.shape.size
  }
  const release = (node: Node) => {
    const { size: elements } = node.shape
    free.set(elements, [...(free.get(elements) ?? []), places.get(node)!])
  }

  inputNodes.forEach(allocate)
  const instructions = code.flatMap((node, i) => {
    const ended = [...new Set(node.args)].filter((arg) => lastUse.get(arg) === i && !isConstant(arg))
    // An elementwise result may take the place of an operand.
    const isInPlace = isElementwise(node.op)
    if (!isInPlace) allocate(node)
    ended.forEach(release)
    if (isInPlace) allocate(node)
    return instruction(node, width, places)
  })
  const placeOf = (node: Node | undefined) => (node === undefined ? nowhere : places.get(node)!)
  const head = [
    size,
    places.get(value)!,
    ...inputNames.map((input) => placeOf(inputNodes.find(({ name }) => name === input))),
    ...inputNames.slice(1).map((input) => placeOf(derivatives.get(input))),
  ]
  return { words: Uint32Array.from([...head, ...instructions]), constants: Float64Array.from(constants) }
}

function instruction(node: Node, width: number, places: ReadonlyMap<Node, number>): readonly number[] {
  const [a, b = a] = node.args as [Node, Node?]
  const place = (x: Node) => places.get(x)!
  const stride = (x: Node) => (isScalar(x) || isConstant(x) ? 0 : 1)
  const copy = copyOf(node, width)
  if (copy !== null) {
    const words = [operations.indexOf('copy'), node.shape.size, place(node), place(a)]
    return [...words, stride(a) * copy.from, copy.count, copy.to]
  }
  const op = operations.indexOf(node.op)
  const words = [op, countOf(node, width), place(node), place(a), stride(a), place(b), stride(b)]
  if (op < 0 || words.length !== instructionWords) throw new Error(`no instruction for ${node.op}`)
  return words
}

/** Element i · to of a copy is element i · from of its operand, for i < count; the others are 0. */
function copyOf({ op, shape, value }: Node, width: number) {
  const copies: Partial<
    Record<Operation | 'constant' | 'input', { from: number; count: number; to: number }>
  > = {
    fill: { from: 1, count: shape.size, to: 1 },
    first: { from: 1, count: shape.size, to: 1 },
    extend: { from: 1, count: value, to: 1 },
    diagonal: { from: width + 1, count: width, to: 1 },
    diagonalMatrix: { from: 1, count: width, to: width + 1 },
  }
  return copies[op] ?? null
}

/** Returns the number of elements that an instruction is about; for matrices their width. */
function countOf({ op, shape, args }: Node, width: number): number {
  if (isElementwise(op)) return shape.size
  return op === 'sum' || op === 'largest' ? args[0]!.shape.size : width
}
