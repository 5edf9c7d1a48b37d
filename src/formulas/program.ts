import {
  FormulaError,
  Graph,
  type InputName,
  isConstant,
  isScalar,
  limits,
  type Node,
  type Program,
  tooManyInstructions,
} from './graph.js'
import { described, type Formula, namesIn, parse } from './parse.js'
import { seemsConstant } from './probe.js'

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
  if (program.nodes.filter(isInstruction).length > limits.instructions) throw tooManyInstructions()
  return {
    ...program,
    isConstant: derivatives.size === 0 || seemsConstant(program),
    minimumImages: minimumImages(program, formula.text),
  }
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

/** Returns whether a node is computed. */
export function isInstruction({ op }: Node): boolean {
  return op !== 'constant' && op !== 'input'
}

/** Returns whether a text has the singular values, be it a formula or not. */
export function usesSpectrum(text: string): boolean {
  const names = namesIn(text)
  return ['sigma', 'lambda', 'p'].some((name) => names.has(name))
}

/**
 * A matrix of fewer images than dimensions has fewer singular values. Its covariance has the eigenvalue 0 if there are as
 * many images as dimensions, because the mean has been subtracted: a determinant is then defined only if a number is added
 * to the diagonal. And n − 1 and correlations need two images.
 */
function minimumImages({ nodes, width }: Pick<Program, 'nodes' | 'width'>, text: string): number {
  const uses = (name: InputName) => nodes.some((node) => node.name === name)
  const shifts = nodes.flatMap(({ op, args }) => (op === 'cholesky' ? [args[1]!] : []))
  if (uses('sigma') || shifts.some((shift) => !isConstant(shift) || shift.value <= 0)) return width + 1
  if (shifts.length > 0) return width
  return uses('n') || namesIn(text).has('correlation') ? 2 : 1
}
