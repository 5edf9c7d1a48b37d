import { type Attributes, type DataType, Graph, type Op, type Value } from './graph.js'

/** A graph with TensorFlow's raw ops as functions of arrays. Shapes broadcast by NumPy's rules. */
export class Ops extends Graph {
  /** Returns [..., m, k] · [..., k, n], each operand optionally transposed first. */
  matMul(a: Value, b: Value, { transposeA = false, transposeB = false } = {}): Value {
    return this.#one(
      'BatchMatMulV2',
      [a, b],
      { T: { type: a.type }, adj_x: transposeA, adj_y: transposeB },
      a.type,
    )
  }

  add = (a: Value, b: Value) => this.#elementwise('AddV2', a, b)
  subtract = (a: Value, b: Value) => this.#elementwise('Sub', a, b)
  multiply = (a: Value, b: Value) => this.#elementwise('Mul', a, b)
  divide = (a: Value, b: Value) => this.#elementwise('RealDiv', a, b)
  maximum = (a: Value, b: Value) => this.#elementwise('Maximum', a, b)

  relu = (x: Value) => this.#unary('Relu', x)
  sigmoid = (x: Value) => this.#unary('Sigmoid', x)
  square = (x: Value) => this.#unary('Square', x)
  squareRoot = (x: Value) => this.#unary('Sqrt', x)
  inverseSquareRoot = (x: Value) => this.#unary('Rsqrt', x)
  exponential = (x: Value) => this.#unary('Exp', x)
  logarithm = (x: Value) => this.#unary('Log', x)
  zerosLike = (x: Value) => this.#unary('ZerosLike', x)

  /** Returns the gradient at a ReLU's input from the gradient at its output. */
  reluGradient = (gradient: Value, output: Value) => this.#elementwise('ReluGrad', gradient, output)
  /** Returns the gradient at a sigmoid's input from the gradient at its output. */
  sigmoidGradient = (output: Value, gradient: Value) => this.#elementwise('SigmoidGrad', output, gradient)

  leakyRelu(x: Value, slope: number): Value {
    return this.#one('LeakyRelu', [x], { T: { type: x.type }, alpha: { float: slope } }, x.type)
  }

  /** Returns the gradient at a leaky ReLU's input from those at its output, which has the sign of the input. */
  leakyReluGradient(gradient: Value, output: Value, slope: number): Value {
    const attributes = { T: { type: gradient.type }, alpha: { float: slope } }
    return this.#one('LeakyReluGrad', [gradient, output], attributes, gradient.type)
  }

  greater(a: Value, b: Value): Value {
    return this.#one('Greater', [a, b], { T: { type: a.type } }, 'bool')
  }

  equal(a: Value, b: Value): Value {
    return this.#one('Equal', [a, b], { T: { type: a.type }, incompatible_shape_error: true }, 'bool')
  }

  isFinite(x: Value): Value {
    return this.#one('IsFinite', [x], { T: { type: x.type } }, 'bool')
  }

  select(condition: Value, yes: Value, no: Value): Value {
    return this.#one('SelectV2', [condition, yes, no], { T: { type: yes.type } }, yes.type)
  }

  /** Reduced axes are kept with length 1. */
  sum = (x: Value, axes: readonly number[]) => this.#reduce('Sum', x, axes)
  mean = (x: Value, axes: readonly number[]) => this.#reduce('Mean', x, axes)
  largest = (x: Value, axes: readonly number[]) => this.#reduce('Max', x, axes)

  all(x: Value, axes: readonly number[]): Value {
    const inputs = [x, this.integers(axes)]
    return this.#one('All', inputs, { Tidx: { type: 'int32' }, keep_dims: true }, 'bool')
  }

  cast(x: Value, type: DataType): Value {
    if (x.type === type) return x
    return this.#one('Cast', [x], { SrcT: { type: x.type }, DstT: { type }, Truncate: false }, type)
  }

  /** Returns the same bits as another type. */
  bitcast(x: Value, type: DataType): Value {
    return this.#one('Bitcast', [x], { T: { type: x.type }, type: { type } }, type)
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.#one(
      'Reshape',
      [x, this.integers(shape)],
      { T: { type: x.type }, Tshape: { type: 'int32' } },
      x.type,
    )
  }

  slice(x: Value, begin: Value, size: Value): Value {
    return this.#one('Slice', [x, begin, size], { T: { type: x.type }, Index: { type: 'int32' } }, x.type)
  }

  /** Returns element `index` of a vector as a scalar. */
  element(vector: Value, index: number): Value {
    const one = this.slice(vector, this.integers([index]), this.integers([1]))
    return this.reshape(one, [])
  }

  concat(parts: readonly Value[], axis: number): Value {
    const type = parts[0]!.type
    const attributes = { N: parts.length, T: { type }, Tidx: { type: 'int32' as const } }
    return this.#one('ConcatV2', [...parts, this.integer(axis)], attributes, type)
  }

  /** Stacks arrays of the same shape along a new first axis. */
  stack(parts: readonly Value[]): Value {
    const type = parts[0]!.type
    return this.#one('Pack', parts, { N: parts.length, T: { type }, axis: 0 }, type)
  }

  gather(x: Value, indices: Value, axis: number, batchDimensions = 0): Value {
    const types = {
      Tparams: { type: x.type },
      Tindices: { type: indices.type },
      Taxis: { type: 'int32' as const },
    }
    const attributes = { ...types, batch_dims: batchDimensions }
    return this.#one('GatherV2', [x, indices, this.integer(axis)], attributes, x.type)
  }

  /** Returns an array that shares no memory with `x`. */
  copy = (x: Value) => this.#unary('DeepCopy', x)

  /** Returns each row's values, the largest first, and their indices in the row. */
  sortDescending(x: Value, length: number): { readonly values: Value; readonly indices: Value } {
    const types = {
      T: { type: x.type },
      Tk: { type: 'int32' as const },
      index_type: { type: 'int32' as const },
    }
    const attributes = { ...types, sorted: true }
    const outputs = this.op('TopKV2', [x, this.integer(length)], attributes, [x.type, 'int32'])
    return { values: outputs[0]!, indices: outputs[1]! }
  }

  /** Returns the unit eigenvectors of symmetric matrices [..., n, n] as columns. */
  eigenvectors(x: Value): Value {
    const attributes = { compute_v: true, T: { type: x.type } }
    return this.op('SelfAdjointEigV2', [x], attributes, [x.type, x.type])[1]!
  }

  /** Returns the diagonals [..., n] of matrices [..., n, n]. */
  diagonal = (x: Value) => this.#unary('MatrixDiagPart', x)
  /** Returns the matrices [..., n, n] with these diagonals [..., n] and zeros elsewhere. */
  diagonalMatrix = (diagonal: Value) => this.#unary('MatrixDiag', diagonal)
  /** Returns matrices [..., n, n] with the diagonals [..., n] in place of their own. */
  withDiagonal = (x: Value, diagonal: Value) => this.#elementwise('MatrixSetDiag', x, diagonal)

  /** Returns the lower triangular L with L·Lᵀ = x of symmetric, positive definite matrices [..., n, n]. */
  cholesky = (x: Value) => this.#unary('Cholesky', x)

  /** Returns X with lower · X = right, of lower triangular matrices [..., n, n]. */
  solveLower(lower: Value, right: Value): Value {
    const attributes = { T: { type: lower.type }, lower: true, adjoint: false }
    return this.#one('MatrixTriangularSolve', [lower, right], attributes, lower.type)
  }

  /** Returns standard normal numbers named by key [1] and counter [2], both uint64. Philox gives the same on every device. */
  normals(shape: Value, key: Value, counter: Value): Value {
    const philox = this.integer(1) // TensorFlow's number of the algorithm
    const attributes = { dtype: { type: 'float' as const }, Tshape: { type: 'int32' as const } }
    return this.#one('StatelessRandomNormalV2', [shape, key, counter, philox], attributes, 'float')
  }

  /** Reads the variable once the ops of `after` have run. */
  read(variable: Value, type: DataType, after: readonly Op[] = []): Value {
    return this.op('ReadVariableOp', [variable], { dtype: { type } }, [type], after)[0]!
  }

  /** Assigns the value once the ops of `after` have run. */
  assign(variable: Value, value: Value, after: readonly Op[] = []): Op {
    const attributes = { dtype: { type: value.type }, validate_shape: false }
    return this.effect('AssignVariableOp', [variable, value], attributes, after)
  }

  float = (value: number) => this.constant('float', [], [value])
  double = (value: number) => this.constant('double', [], [value])
  integer = (value: number) => this.constant('int32', [], [value])
  integers = (values: readonly number[]) => this.constant('int32', [values.length], values)
  doubles = (values: readonly number[]) => this.constant('double', [values.length], values)

  #one(name: string, inputs: readonly Value[], attributes: Attributes, type: DataType): Value {
    return this.op(name, inputs, attributes, [type])[0]!
  }

  #unary(name: string, x: Value): Value {
    return this.#one(name, [x], { T: { type: x.type } }, x.type)
  }

  #elementwise(name: string, a: Value, b: Value): Value {
    return this.#one(name, [a, b], { T: { type: a.type } }, a.type)
  }

  #reduce(name: string, x: Value, axes: readonly number[]): Value {
    const attributes = { T: { type: x.type }, Tidx: { type: 'int32' as const }, keep_dims: true }
    return this.#one(name, [x, this.integers(axes)], attributes, x.type)
  }
}
