import { suggestion } from '../text/names.js'
import { FormulaError, type Graph, isConstant, isScalar, limits, type Node, type Shape } from './graph.js'

/** Added to a variance in a correlation: batch norm's ε. */
const correlationEpsilon = '1e-5'

const anyShape = ['scalar', 'vector', 'matrix'] as const
const elements = ['vector', 'matrix'] as const

/** The functions of the language: the shapes that each of their arguments may have, and what they compute. */
interface FunctionRow {
  readonly shapes: readonly (readonly Shape['kind'][])[]
  readonly build: (g: Graph, ...args: Node[]) => Node
}

/** Functions by name and number of arguments. */
const functions: ReadonlyMap<string, FunctionRow> = new Map<string, FunctionRow>([
  ['log 1', { shapes: [anyShape], build: (g, x) => g.log(x) }],
  ['exp 1', { shapes: [anyShape], build: (g, x) => g.exp(x) }],
  ['sqrt 1', { shapes: [anyShape], build: (g, x) => g.sqrt(x) }],
  ['abs 1', { shapes: [anyShape], build: (g, x) => g.add(relu(g, x), relu(g, g.negate(x))) }],
  ['relu 1', { shapes: [anyShape], build: relu }],
  // At 0 the logarithm is that of 1e-300, so that value and derivative are finite.
  ['xlogx 1', { shapes: [anyShape], build: (g, x) => g.multiply(x, g.log(g.add(x, g.constant(1e-300)))) }],
  ['max 1', { shapes: [elements], build: (g, x) => g.largest(x) }],
  ['min 1', { shapes: [elements], build: (g, x) => g.negate(g.largest(g.negate(x))) }],
  ['max 2', { shapes: [anyShape, anyShape], build: (g, x, y) => g.larger(x, y) }],
  [
    'min 2',
    { shapes: [anyShape, anyShape], build: (g, x, y) => g.negate(g.larger(g.negate(x), g.negate(y))) },
  ],
  ['sum 1', { shapes: [elements], build: (g, x) => g.sum(x) }],
  ['mean 1', { shapes: [elements], build: (g, x) => g.multiply(g.constant(1 / x.shape.size), g.sum(x)) }],
  ['first 2', { shapes: [['vector'], ['scalar']], build: (g, x, k) => g.first(x, k.value) }],
  ['diagonal 1', { shapes: [['matrix']], build: (g, x) => g.diagonal(x) }],
  ['offdiagonal 1', { shapes: [['matrix']], build: (g, x) => g.offdiagonal(x) }],
  ['outer 1', { shapes: [['vector']], build: (g, x) => g.outer(x) }],
  ['trace 1', { shapes: [['matrix']], build: (g, x) => g.sum(g.diagonal(x)) }],
  ['logdet 1', { shapes: [['matrix']], build: (g, x) => g.logdet(x, g.constant(0)) }],
  ['logdet 2', { shapes: [['matrix'], ['scalar']], build: (g, x, shift) => g.logdet(x, shift) }],
])
const functionNames = [...new Set([...functions.keys()].map((key) => key.split(' ')[0]!))]

function relu(g: Graph, x: Node): Node {
  return g.larger(x, g.constant(0))
}

/** Names that are formulas themselves. */
const derivedNames: ReadonlyMap<string, string> = new Map([
  ['lambda', 'sigma^2'],
  ['p', 'sigma / sum(sigma)'],
  ['correlation', `covariance * outer(1 / sqrt(diagonal(covariance) + ${correlationEpsilon}))`],
])

/** The names of the language besides its functions. */
const names = ['sigma', 'lambda', 'p', 'mean', 'variance', 'covariance', 'moment', 'correlation', 'd', 'n']

/** The names whose values depend on whether an eigen loss is centred. */
export const namesOfUncentred = ['sigma', 'lambda', 'p', 'moment'] as const

/** Returns whether a parameter must not have this name, because the language has it. */
export function isReserved(name: string): boolean {
  return names.includes(name) || functionNames.includes(name)
}

interface Operator {
  /** How strongly it binds to its left and to its right. A sign binds its operand by 3. */
  readonly left: number
  readonly right: number
  readonly build: (g: Graph, a: Node, b: Node) => Node
}

const signBinding = 3
const operators: ReadonlyMap<string, Operator> = new Map([
  ['+', { left: 1, right: 1, build: (g: Graph, a: Node, b: Node) => g.add(a, b) }],
  ['-', { left: 1, right: 1, build: (g: Graph, a: Node, b: Node) => g.subtract(a, b) }],
  ['*', { left: 2, right: 2, build: (g: Graph, a: Node, b: Node) => g.multiply(a, b) }],
  ['/', { left: 2, right: 2, build: (g: Graph, a: Node, b: Node) => g.divide(a, b) }],
  ['^', { left: 4, right: 3, build: (g: Graph, a: Node, b: Node) => g.power(a, b) }],
])

interface Token {
  readonly kind: 'number' | 'name' | 'symbol' | 'end'
  readonly text: string
  readonly column: number
}

/** Returns the tokens of a formula; the last one is its end. @throws FormulaError */
function tokenise(text: string): readonly Token[] {
  if (text.length > limits.text) {
    throw new FormulaError(`a formula has at most ${limits.text} characters`, limits.text + 1)
  }
  const pattern = /(\s+)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|[-+*/^(),]/y
  const tokens: Token[] = []
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex
    const match = pattern.exec(text)
    if (match === null) {
      const character = String.fromCodePoint(text.codePointAt(at)!)
      throw new FormulaError(`unexpected character ${JSON.stringify(character)}`, at + 1)
    }
    const kind = match[2] !== undefined ? 'number' : match[3] !== undefined ? 'name' : 'symbol'
    if (match[1] === undefined) tokens.push({ kind, text: match[0], column: at + 1 })
  }
  return [...tokens, { kind: 'end', text: 'the end of the formula', column: text.length + 1 }]
}

/** Returns the names in a formula, functions included; an empty set if it has characters that no formula has. */
export function namesIn(text: string): ReadonlySet<string> {
  try {
    return new Set(tokenise(text).flatMap((token) => (token.kind === 'name' ? [token.text] : [])))
  } catch (error) {
    if (error instanceof FormulaError) return new Set()
    throw error
  }
}

export interface Formula {
  readonly text: string
  readonly parameters: Readonly<Record<string, number>>
  /** Whether sigma and moment are those of the centred matrix. */
  readonly center: boolean
}

/** Adds a formula to a graph and returns its value. @throws FormulaError */
export function parse(formula: Formula, graph: Graph): Node {
  return new Parser(formula, graph).parse()
}

/** A parser by precedence climbing, which builds the graph directly. */
class Parser {
  readonly #formula: Formula
  readonly #graph: Graph
  readonly #tokens: readonly Token[]
  readonly #names: ReadonlySet<string>
  #at = 0
  #depth = 0

  constructor(formula: Formula, graph: Graph) {
    this.#formula = formula
    this.#graph = graph
    this.#tokens = tokenise(formula.text)
    this.#names = new Set(this.#tokens.map(({ text }) => text))
  }

  parse(): Node {
    const value = this.#expression(0)
    this.#expect('')
    return value
  }

  #next(): Token {
    return this.#tokens[this.#at++]!
  }

  /** @param symbol the empty text for the end */
  #expect(symbol: string): void {
    const token = this.#next()
    const isExpected = symbol === '' ? token.kind === 'end' : token.text === symbol
    if (isExpected) return
    const expected = symbol === '' ? 'an operator or the end of the formula' : JSON.stringify(symbol)
    throw new FormulaError(`expected ${expected}, got ${shown(token)}`, token.column)
  }

  #expression(binding: number): Node {
    this.#depth += 1
    if (this.#depth > limits.depth) {
      throw new FormulaError(`nested more than ${limits.depth} levels deep`, this.#tokens[this.#at]!.column)
    }
    let left = this.#operand()
    for (;;) {
      const { text, column } = this.#tokens[this.#at]!
      const operator = operators.get(text)
      if (operator === undefined || operator.left <= binding) break
      this.#at += 1
      const right = this.#expression(operator.right)
      requireFit(left, right, column)
      if (text === '/' && isConstant(right, 0)) throw new FormulaError('division by 0', column)
      if (text === '^') requirePower(left, right, column)
      left = requireFinite(operator.build(this.#graph, left, right), column)
    }
    this.#depth -= 1
    return left
  }

  #operand(): Node {
    const token = this.#next()
    const { kind, text, column } = token
    if (text === '-') return this.#graph.negate(this.#expression(signBinding))
    if (kind === 'number') return requireFinite(this.#graph.constant(Number(text)), column)
    if (kind === 'name') {
      return this.#tokens[this.#at]!.text === '(' ? this.#call(token) : this.#named(token)
    }
    if (text !== '(') throw new FormulaError(`expected a value, got ${shown(token)}`, column)
    const value = this.#expression(0)
    this.#expect(')')
    return value
  }

  #named({ text: name, column }: Token): Node {
    const { parameters, center } = this.#formula
    const g = this.#graph
    if (Object.hasOwn(parameters, name)) return g.constant(parameters[name]!)
    const derived = derivedNames.get(name)
    if (derived !== undefined) return parse({ text: derived, parameters: {}, center }, g)
    switch (name) {
      case 'd':
        return g.constant(g.width)
      case 'n':
      case 'sigma':
      case 'mean':
      case 'covariance':
        return g.input(name)
      case 'variance':
        return this.#usesMatrix() ? g.diagonal(g.input('covariance')) : g.input('variance')
      case 'moment':
        return center ? g.input('covariance') : g.add(g.input('covariance'), g.outer(g.input('mean')))
    }
    const problem = functionNames.includes(name)
      ? `the function ${name} needs arguments in parentheses`
      : `unknown name "${name}", neither in the language nor in parameters${suggestion(name.slice(0, 40), [...names, ...Object.keys(parameters)])}`
    throw new FormulaError(problem, column)
  }

  #usesMatrix(): boolean {
    return ['covariance', 'correlation', 'moment'].some((name) => this.#names.has(name))
  }

  #call({ text: name, column }: Token): Node {
    if (!functionNames.includes(name)) {
      const advice = suggestion(name.slice(0, 40), functionNames) || `; known: ${functionNames.join(', ')}`
      throw new FormulaError(`unknown function "${name}"${advice}`, column)
    }
    const args: { readonly node: Node; readonly column: number }[] = []
    do {
      this.#at += 1
      const start = this.#tokens[this.#at]!.column
      args.push({ node: this.#expression(0), column: start })
    } while (this.#tokens[this.#at]!.text === ',')
    this.#expect(')')
    const row = functions.get(`${name} ${args.length}`)
    if (row === undefined) throw new FormulaError(`${name} does not take ${countOf(args.length)}`, column)
    for (const [i, { node, column: start }] of args.entries()) {
      if (row.shapes[i]!.includes(node.shape.kind)) continue
      const expected = row.shapes[i]!.map((kind) => `a ${kind}`).join(' or ')
      throw new FormulaError(`${name} takes ${expected} here, not ${described(node.shape)}`, start)
    }
    const [first, second] = args
    if (name === 'outer' && first!.node.shape.size !== this.#graph.width) {
      const given = described(first!.node.shape)
      throw new FormulaError(
        `outer takes a vector of ${this.#graph.width} here, not ${given}`,
        first!.column,
        true,
      )
    }
    if (name === 'first') requireCount(second!.node, first!.node.shape.size, second!.column)
    else if (second !== undefined && name !== 'logdet') requireFit(first!.node, second.node, column)
    return requireFinite(row.build(this.#graph, ...args.map(({ node }) => node)), column)
  }
}

function requireFinite(node: Node, column: number): Node {
  if (!isConstant(node) || Number.isFinite(node.value)) return node
  throw new FormulaError('not a finite number', column)
}

function requireFit(a: Node, b: Node, column: number): void {
  const same = a.shape.kind === b.shape.kind && a.shape.size === b.shape.size
  if (same || isScalar(a) || isScalar(b)) return
  throw new FormulaError(`${described(a.shape)} and ${described(b.shape)} cannot be combined`, column)
}

function requirePower(base: Node, exponent: Node, column: number): void {
  if (!isConstant(base) || base.value > 0 || isConstant(exponent)) return
  throw new FormulaError('the base must be over 0 if the exponent varies', column)
}

function requireCount(count: Node, most: number, column: number): void {
  const { value } = count
  if (isConstant(count) && Number.isInteger(value) && value >= 1 && value <= most) return
  const allowed = most === 1 ? 'must be 1' : `must be a whole number from 1 to ${most}`
  throw new FormulaError(`${allowed}, the length of the vector`, column, true)
}

/** Describes a shape for messages: "a vector of 10". */
export function described({ kind, size }: Shape): string {
  if (kind === 'scalar') return 'a scalar'
  const width = Math.sqrt(size)
  return kind === 'vector' ? `a vector of ${size}` : `a ${width} × ${width} matrix`
}

function shown({ kind, text }: Token): string {
  return kind === 'end' ? text : JSON.stringify(text)
}

function countOf(args: number): string {
  return args === 1 ? 'one argument' : `${args} arguments`
}
