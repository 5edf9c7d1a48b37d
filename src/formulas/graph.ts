/** A mistake in a formula. */
export class FormulaError extends Error {
  /**
   * @param column of the mistake in the text, from 1
   * @param dependsOnWidth whether the text may be a formula on a layer of another width
   */
  constructor(
    readonly problem: string,
    readonly column: number,
    readonly dependsOnWidth = false,
  ) {
    super(`column ${column}: ${problem}`)
    this.name = 'FormulaError'
  }
}

export const limits = {
  /** Characters of a formula. */
  text: 2000,
  /** Parentheses and operators within one another. */
  depth: 50,
  /** Instructions of value and derivatives together. */
  instructions: 500,
} as const

export function tooManyInstructions(): FormulaError {
  return new FormulaError(`the formula needs more than ${limits.instructions} instructions`, 1)
}

/**
 * The graph of a formula for one width of a layer. Only methods of Graph make nodes: they simplify, and equal nodes are one
 * object. All matrices are symmetric. If all elements of a derivative are equal, a scalar stands for it.
 */

/** Operations on elements, of one or two operands of which one may be a scalar, in the order of native/formulas/execute.h. */
export const elementwise = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  larger: Math.max,
  greater: (x, y) => (x > y ? 1 : x <= y ? 0 : Number.NaN),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
} as const satisfies Readonly<Record<string, (x: number, y: number) => number>>

type Elementwise = keyof typeof elementwise

export function isElementwise(op: Node['op']): op is Elementwise {
  return op in elementwise
}

/** Operations that copy elements; the others of their result are zeros. */
const copies = ['fill', 'first', 'extend', 'diagonal', 'diagonalMatrix'] as const

/** Operations on whole vectors and matrices: `cholesky` gives a factor that only `logdet` and `inverse` read. */
const whole = ['sum', 'largest', 'offdiagonal', 'outer', 'product', 'cholesky', 'logdet', 'inverse'] as const

export type Operation = Elementwise | (typeof copies)[number] | (typeof whole)[number]

/** The number of images and the statistics of a layer, on which a formula can depend, in the order of a tape's head. */
export const inputNames = ['n', 'sigma', 'mean', 'variance', 'covariance'] as const
export type InputName = (typeof inputNames)[number]

export interface Shape {
  readonly kind: 'scalar' | 'vector' | 'matrix' | 'factor'
  /** Number of elements. */
  readonly size: number
}

export interface Node {
  readonly op: Operation | 'constant' | 'input'
  readonly args: readonly Node[]
  readonly shape: Shape
  /** A constant's elements, which are all equal; the number of elements that `extend` copies. */
  readonly value: number
  /** An input's name. */
  readonly name: InputName | null
  /** Whether the layer's values change it. */
  readonly active: boolean
}

const scalar: Shape = { kind: 'scalar', size: 1 }

/** The largest exponent that becomes multiplications. */
const largestPower = 64

/** Many more nodes are made than needed, because simplification replaces them. */
const mostNodes = 20 * limits.instructions

export function isScalar({ shape }: Node): boolean {
  return shape.kind === 'scalar'
}

/** Returns whether all elements of a node are known to be equal to a value, by default to any. */
export function isConstant(x: Node, value?: number): boolean {
  return x.op === 'constant' && (value === undefined || x.value === value)
}

/** Returns whether a node is a number times another node, or a scalar times a vector or a matrix. */
function isScaled(x: Node): boolean {
  const [factor] = x.args
  return x.op === 'multiply' && isScalar(factor!) && (isConstant(factor!) || !isScalar(x))
}

function broadcastShape(a: Node, b: Node): Shape {
  if (!isScalar(a) && !isScalar(b) && a.shape.size !== b.shape.size)
    throw new Error(`${a.shape.size} and ${b.shape.size} elements`)
  return isScalar(a) ? b.shape : a.shape
}

export class Graph {
  readonly width: number
  readonly vector: Shape
  readonly matrix: Shape
  readonly #factor: Shape
  readonly #ids = new Map<Node, number>()
  readonly #byKey = new Map<string, Node>()

  constructor(width: number) {
    this.width = width
    this.vector = { kind: 'vector', size: width }
    this.matrix = { kind: 'matrix', size: width ** 2 }
    // Two matrices and a vector whose rows are padded to 8 elements: native/formulas/execute.h.
    const stride = Math.ceil(width / 8) * 8
    this.#factor = { kind: 'factor', size: (2 * width + 1) * stride }
  }

  /** All nodes; each follows its arguments. */
  nodes(): readonly Node[] {
    return [...this.#ids.keys()]
  }

  #node(op: Node['op'], shape: Shape, args: readonly Node[], value = 0, name: InputName | null = null): Node {
    const key = [op, shape.kind, shape.size, value, name, ...args.map((x) => this.#ids.get(x))].join()
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const active = op === 'input' ? name !== 'n' : op !== 'greater' && args.some((x) => x.active)
    const node = { op, args, shape, value, name, active }
    this.#byKey.set(key, node)
    this.#ids.set(node, this.#ids.size)
    if (this.#ids.size > mostNodes) throw tooManyInstructions()
    return node
  }

  constant = (value: number, shape = scalar) => this.#node('constant', shape, [], value)

  input(name: InputName): Node {
    const shape = name === 'n' ? scalar : name === 'covariance' ? this.matrix : this.vector
    return this.#node('input', shape, [], 0, name)
  }

  #each(op: Elementwise, a: Node, b?: Node): Node {
    const shape = broadcastShape(a, b ?? a)
    const isKnown = isConstant(a) && (b === undefined || isConstant(b))
    if (isKnown) return this.constant(elementwise[op](a.value, b?.value ?? 0), shape)
    return this.#node(op, shape, b === undefined ? [a] : [a, b])
  }

  add(a: Node, b: Node): Node {
    if (a === b) return this.multiply(this.constant(2), a)
    if (isConstant(a) && !isConstant(b)) return this.add(b, a)
    if (isConstant(b, 0) && broadcastShape(b, a) === a.shape) return a
    if (b.op === 'multiply' && isConstant(b.args[0]!, -1)) return this.subtract(a, b.args[1]!)
    if (a.op === 'multiply' && isConstant(a.args[0]!, -1)) return this.subtract(b, a.args[1]!)
    return this.#each('add', a, b)
  }

  subtract(a: Node, b: Node): Node {
    if (a === b) return this.constant(0, a.shape)
    if (isConstant(b, 0) && broadcastShape(b, a) === a.shape) return a
    if (isConstant(a, 0) && broadcastShape(a, b) === b.shape) return this.negate(b)
    return this.#each('subtract', a, b)
  }

  negate = (a: Node) => this.multiply(this.constant(-1), a)

  /** Orders constants first, then scalars: s · (t · v) becomes (s · t) · v. */
  multiply(a: Node, b: Node): Node {
    const rank = (x: Node) => (isConstant(x) ? 0 : isScalar(x) ? 1 : 2)
    if (rank(a) > rank(b)) return this.multiply(b, a)
    if (isConstant(a, 0)) return this.constant(0, broadcastShape(a, b))
    if (isConstant(a, 1) && broadcastShape(a, b) === b.shape) return b
    const quotient = this.#cancelled(a, b) ?? this.#cancelled(b, a)
    if (quotient !== null) return quotient
    if (isScaled(b)) {
      const [factor, rest] = b.args as [Node, Node]
      return isScalar(a)
        ? this.multiply(this.multiply(a, factor), rest)
        : this.multiply(factor, this.multiply(a, rest))
    }
    if (isScaled(a) && !isScalar(a)) return this.multiply(a.args[0]!, this.multiply(a.args[1]!, b))
    return this.#each('multiply', a, b)
  }

  /** Returns x for (x / divisor) · divisor, null for any other product. */
  #cancelled(ratio: Node, divisor: Node): Node | null {
    if (ratio.op !== 'divide' || ratio.args[1] !== divisor) return null
    const dividend = ratio.args[0]!
    const shape = broadcastShape(ratio, divisor)
    if (isConstant(dividend)) return this.constant(dividend.value, shape)
    return dividend.shape === shape ? dividend : null
  }

  divide(a: Node, b: Node): Node {
    if (a === b) return this.constant(1, a.shape)
    if (isConstant(a, 0)) return this.constant(0, broadcastShape(a, b))
    if (isConstant(b) && !isConstant(a)) return this.multiply(this.constant(1 / b.value, b.shape), a)
    if (isScalar(b) && !isScalar(a)) return this.multiply(this.divide(this.constant(1), b), a)
    if (isScaled(a) && !isScalar(b)) return this.multiply(a.args[0]!, this.divide(a.args[1]!, b))
    // c · x / √x is c · √x, which has a value at 0.
    const cofactor = b.op === 'sqrt' ? this.#cofactor(a, b.args[0]!) : null
    if (cofactor !== null) return this.multiply(cofactor, b)
    return this.#each('divide', a, b)
  }

  /** Returns c for the product c · x, null for any other node. */
  #cofactor(product: Node, x: Node): Node | null {
    if (product === x) return this.constant(1)
    if (product.op !== 'multiply') return null
    const [a, b] = product.args as [Node, Node]
    const [ofA, ofB] = [this.#cofactor(a, x), this.#cofactor(b, x)]
    if (ofA !== null) return this.multiply(ofA, b)
    return ofB === null ? null : this.multiply(a, ofB)
  }

  larger = (a: Node, b: Node) => this.#each('larger', a, b)
  greater = (a: Node, b: Node) => this.#each('greater', a, b)
  exp = (a: Node) => this.#each('exp', a)
  log = (a: Node) => this.#each('log', a)
  sqrt = (a: Node) => this.#each('sqrt', a)

  /** Returns multiplications for an integer exponent, with a square root for a half, and otherwise e^(b · ln a). */
  power(a: Node, b: Node): Node {
    const isShort = isConstant(b) && (2 * b.value) % 1 === 0 && Math.abs(b.value) <= largestPower
    if (!isShort) return this.exp(this.multiply(b, this.log(a)))
    const raised = this.#raised(a, b.value)
    return isScalar(b) ? raised : this.multiply(this.constant(1, b.shape), raised)
  }

  #raised(a: Node, exponent: number): Node {
    if (exponent < 0) return this.divide(this.constant(1), this.#raised(a, -exponent))
    if (exponent === 0) return this.constant(1, a.shape)
    if (exponent === 1) return a
    const floor = Math.floor(exponent)
    if (floor < exponent) return this.multiply(this.#raised(a, floor), this.sqrt(a))
    const half = this.#raised(a, Math.floor(floor / 2))
    return this.multiply(this.multiply(half, half), this.#raised(a, floor % 2))
  }

  sum(a: Node): Node {
    if (isConstant(a)) return this.constant(a.value * a.shape.size)
    if (isScaled(a)) return this.multiply(a.args[0]!, this.sum(a.args[1]!))
    return isScalar(a) ? a : this.#node('sum', scalar, [a])
  }

  largest(a: Node): Node {
    if (isConstant(a)) return this.constant(a.value)
    return a.shape.size === 1 ? this.sum(a) : this.#node('largest', scalar, [a])
  }

  /** Returns a node whose elements are all in memory, as the operations on whole vectors and matrices need it. */
  dense(a: Node, shape: Shape): Node {
    return a.shape.kind === shape.kind && !isConstant(a) ? a : this.#node('fill', shape, [a])
  }

  first(a: Node, count: number): Node {
    if (count === a.shape.size) return a
    const shape: Shape = { kind: 'vector', size: count }
    return isConstant(a) ? this.constant(a.value, shape) : this.#node('first', shape, [a])
  }

  /** Returns a vector that begins with the elements of another, or with `count` times a scalar. */
  #extend(a: Node, count: number, shape: Shape): Node {
    return this.#node('extend', shape, [a], count)
  }

  diagonal(a: Node): Node {
    if (isConstant(a)) return this.constant(a.value, this.vector)
    if (isScaled(a)) return this.multiply(a.args[0]!, this.diagonal(a.args[1]!))
    return this.#node('diagonal', this.vector, [a])
  }

  #diagonalMatrix(a: Node): Node {
    return this.#node('diagonalMatrix', this.matrix, [a])
  }

  offdiagonal(a: Node): Node {
    if (isScaled(a)) return this.multiply(a.args[0]!, this.offdiagonal(a.args[1]!))
    return a.op === 'offdiagonal' ? a : this.#node('offdiagonal', this.matrix, [this.dense(a, this.matrix)])
  }

  outer = (a: Node) => this.#node('outer', this.matrix, [this.dense(a, this.vector)])

  #product(a: Node, b: Node): Node {
    return this.#node('product', this.vector, [this.dense(a, this.matrix), this.dense(b, this.vector)])
  }

  /** Returns ln det(a + shift · I). */
  logdet(a: Node, shift: Node): Node {
    return this.#node('logdet', scalar, [
      this.#node('cholesky', this.#factor, [this.dense(a, this.matrix), shift]),
    ])
  }

  #inverse = (factor: Node) => this.#node('inverse', this.matrix, [factor])

  /** Returns the derivatives of a scalar with respect to all inputs on which it depends, in their shapes. */
  differentiate(value: Node): ReadonlyMap<InputName, Node> {
    const derivatives = new Map([[value, this.constant(1)]])
    for (const node of this.nodes().toReversed()) {
      const derivative = derivatives.get(node)
      if (derivative === undefined || !node.active) continue
      // Nothing needs the derivative with respect to a factor: that of its logdet goes to the factor's own arguments.
      const args = node.op === 'logdet' ? node.args[0]!.args : node.args
      for (const [place, part] of this.#chain(node, derivative).entries()) {
        const arg = args[place]!
        if (!arg.active) continue
        const whole = this.#summed(part, node, arg)
        const before = derivatives.get(arg)
        derivatives.set(arg, before === undefined ? whole : this.add(before, whole))
      }
    }
    const ofInputs = [...derivatives].filter(
      ([{ op }, derivative]) => op === 'input' && !isConstant(derivative, 0),
    )
    return new Map(ofInputs.map(([{ name, shape }, derivative]) => [name!, this.dense(derivative, shape)]))
  }

  /** Sums the derivative with respect to a scalar that was broadcast to a node's elements. */
  #summed(part: Node, node: Node, arg: Node): Node {
    if (!isScalar(arg) || isScalar(node)) return part
    return isScalar(part) ? this.multiply(this.constant(node.shape.size), part) : this.sum(part)
  }

  /** Returns the derivatives with respect to a node's arguments, of logdet the matrix and the shift, from that to the node. */
  #chain(node: Node, y: Node): readonly Node[] {
    const [a, b] = node.args as [Node, Node]
    switch (node.op) {
      case 'add':
        return [y, y]
      case 'subtract':
        return [y, this.negate(y)]
      case 'multiply':
        return [this.multiply(y, b), this.multiply(y, a)]
      case 'divide':
        return [this.divide(y, b), this.negate(this.divide(this.multiply(y, node), b))]
      case 'larger': {
        // At a tie all goes to b: relu has the derivative 0 at 0.
        const ofA = this.multiply(y, this.greater(a, b))
        return [ofA, this.subtract(y, ofA)]
      }
      case 'exp':
        return [this.multiply(y, node)]
      case 'log':
        return [this.divide(y, a)]
      case 'sqrt':
        return [this.divide(this.multiply(this.constant(0.5), y), node)]
      case 'sum':
      case 'fill':
        return [y]
      case 'largest': {
        const ties = this.subtract(this.constant(1), this.greater(node, a)) // they share the derivative
        return [this.multiply(this.divide(y, this.sum(ties)), ties)]
      }
      case 'first':
        return [this.#extend(y, node.shape.size, a.shape)]
      case 'diagonal':
        return [this.#diagonalMatrix(y)]
      case 'offdiagonal':
        return [this.offdiagonal(y)]
      case 'outer':
        return [this.multiply(this.constant(2), this.#product(y, a))]
      case 'logdet': {
        const ofMatrix = this.multiply(y, this.#inverse(a))
        return [ofMatrix, this.sum(this.diagonal(ofMatrix))]
      }
      case 'input':
        return []
      default:
        throw new Error(`${node.op} occurs in derivatives only`)
    }
  }
}

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
  /** The smallest number of images in a batch for which the formula is defined. */
  readonly minimumImages: number
}
