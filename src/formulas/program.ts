import { Graph, type InputName, isConstant, isScalar, type Node } from './graph.js'
import { described, type Formula, FormulaError, limits, namesIn, parse } from './parse.js'
import { isAlwaysZero } from './probe.js'

/** A formula for one width of a layer, with its derivatives. */
export interface Program {
  readonly width: number
  /** The nodes that the results need; each follows its arguments. */
  readonly nodes: readonly Node[]
  readonly value: Node
  /** The derivatives with respect to the inputs on which the value depends, each in its input's shape. */
  readonly derivatives: ReadonlyMap<InputName, Node>
  /** Whether the value is the same for all layers of this width. */
  readonly isConstant: boolean
}

const kept = new Map<string, Program>()
const mostKept = 256

/**
 * Compiles a formula for a layer of the given width.
 * @throws FormulaError if the text is not a formula
 */
export function compileFormula(formula: Formula, width: number): Program {
  const key = JSON.stringify([formula.text, formula.parameters, formula.center, width])
  const known = kept.get(key)
  if (known !== undefined) return known
  const program = compile(formula, width)
  if (kept.size === mostKept) kept.clear()
  kept.set(key, program)
  return program
}

function compile(formula: Formula, width: number): Program {
  const graph = new Graph(width)
  const value = parse(formula, graph)
  if (!isScalar(value)) throw new FormulaError(`the value must be a scalar, not ${described(value.shape)}`, 1)
  const derivatives = graph.differentiate(value)
  const program = { width, nodes: neededNodes([value, ...derivatives.values()]), value, derivatives }
  if (program.nodes.some((node) => isConstant(node) && !Number.isFinite(node.value))) {
    throw new FormulaError('a number in the formula or its derivatives overflows', 1)
  }
  if (program.nodes.length > limits.instructions) {
    throw new FormulaError(`the formula needs more than ${limits.instructions} instructions`, 1)
  }
  return { ...program, isConstant: derivatives.size === 0 || isAlwaysZero(program) }
}

function neededNodes(results: readonly Node[]): readonly Node[] {
  const needed = new Set<Node>()
  const visit = (node: Node): void => {
    if (needed.has(node)) return
    node.args.forEach(visit)
    needed.add(node)
  }
  results.forEach(visit)
  return [...needed]
}

/**
 * Returns the smallest number of images in a batch for which a formula is defined on a layer of the given width. A matrix
 * of fewer images than dimensions has fewer singular values; a determinant's ε keeps it finite if one eigenvalue is
 * always 0, because the mean has been subtracted; and n − 1 and correlations need two images.
 */
export function minimumImages(text: string, width: number): number {
  const names = namesIn(text)
  if (['sigma', 'lambda', 'p'].some((name) => names.has(name))) return width + 1
  if (names.has('logdet')) return width
  return names.has('n') || names.has('correlation') ? 2 : 1
}
