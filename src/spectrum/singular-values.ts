import { jacobiRotation, maximumSweeps } from './jacobi.js'
import { Turns } from './turns.js'

/**
 * Singular values of a matrix [rows][columns], largest first; the smaller of the two dimensions does not matter: there
 * are always `columns` of them, zeros last. Householder's QR with column pivoting leaves a small triangle, and one-sided
 * Jacobi rotations (Hestenes 1958) make its rows orthogonal, in few sweeps as they are nearly so (Drmač and Veselić, "New
 * fast and accurate Jacobi SVD algorithm", 2008). All in double, so small values keep their digits, which those of a Gram
 * matrix would lose. Hundreds of columns take seconds, in which other work of the process has its turns.
 * @throws the signal's reason once it is aborted.
 */
export async function singularValues(
  values: ArrayLike<number>,
  columns: number,
  center: boolean,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const matrix = columnsOf(values, columns, center)
  const turns = new Turns(signal)
  await triangularise(matrix, turns)
  const triangle = Array.from(matrix, (_, row) => Float64Array.from(matrix, (column) => column[row]!))
  await orthogonalise(triangle, turns)
  return Float64Array.from(triangle, norm).sort().reverse()
}

/** The columns, each padded with zeros to at least `columns` rows, which changes no singular value. */
function columnsOf(values: ArrayLike<number>, columns: number, center: boolean): Float64Array[] {
  const rows = values.length / columns
  return Array.from({ length: columns }, (_, j) => {
    const column = new Float64Array(Math.max(rows, columns))
    for (let i = 0; i < rows; i++) column[i] = values[i * columns + j]!
    if (center) subtractMean(column.subarray(0, rows))
    return column
  })
}

function subtractMean(column: Float64Array): void {
  const mean = column.reduce((sum, value) => sum + value, 0) / column.length
  for (let i = 0; i < column.length; i++) column[i]! -= mean
}

function dot(a: Float64Array, b: Float64Array, from = 0): number {
  let sum = 0
  for (let i = from; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function norm(column: Float64Array): number {
  return Math.sqrt(dot(column, column))
}

/**
 * Householder reflections, one a column, each of the column of which most is left (Golub and Van Loan, "Matrix
 * Computations", 5.4.2), which changes the columns' order; R stays above.
 */
async function triangularise(matrix: Float64Array[], turns: Turns): Promise<void> {
  // What is left of each column's squared length: what rounding does to it changes the order alone.
  const left = matrix.map((column) => dot(column, column))
  for (let k = 0; k < matrix.length; k++) {
    const longest = placeOfLargest(left, k)
    swap(matrix, k, longest)
    swap(left, k, longest)
    reflect(matrix, k)
    for (let j = k + 1; j < matrix.length; j++) left[j]! -= matrix[j]![k]! ** 2
    if (turns.isOver()) await turns.next()
  }
}

/** `from` where nothing is larger, as among numbers that are none. */
function placeOfLargest(values: readonly number[], from: number): number {
  return values.reduce((best, value, place) => (place > best && value > values[best]! ? place : best), from)
}

function swap<T>(array: T[], a: number, b: number): void {
  const first = array[a]!
  array[a] = array[b]!
  array[b] = first
}

/** Makes column k zero below its diagonal, by a reflection of all columns from there on. */
function reflect(matrix: readonly Float64Array[], k: number): void {
  const column = matrix[k]!
  const length = Math.sqrt(dot(column, column, k))
  if (length === 0) return
  const diagonal = column[k]! > 0 ? -length : length
  const reflector = column.slice()
  reflector[k]! -= diagonal
  const scale = 2 / dot(reflector, reflector, k)
  for (const other of matrix.slice(k + 1)) {
    const factor = scale * dot(reflector, other, k)
    for (let i = k; i < other.length; i++) other[i]! -= factor * reflector[i]!
  }
  column.fill(0, k)
  column[k] = diagonal
}

async function orthogonalise(rows: readonly Float64Array[], turns: Turns): Promise<void> {
  const rounding = Number.EPSILON * Math.sqrt(rows.length)
  for (let sweep = 0; sweep < maximumSweeps; sweep++) {
    // Followed through the sweep, and computed anew before the next.
    const squares = rows.map((row) => dot(row, row))
    let rotated = false
    for (let p = 0; p < rows.length; p++) {
      for (let q = p + 1; q < rows.length; q++) rotated = rotatePair(rows, squares, p, q, rounding) || rotated
      if (turns.isOver()) await turns.next()
    }
    if (!rotated) return
  }
}

/** Makes two rows orthogonal; false where they are so to rounding. */
function rotatePair(
  rows: readonly Float64Array[],
  squares: number[],
  first: number,
  second: number,
  rounding: number,
): boolean {
  const [p, q] = [rows[first]!, rows[second]!]
  const product = dot(p, q)
  if (Math.abs(product) <= rounding * Math.sqrt(squares[first]! * squares[second]!)) return false
  const { cosine, sine } = jacobiRotation(squares[first]!, squares[second]!, product)
  for (let i = 0; i < p.length; i++) {
    const a = p[i]!
    const b = q[i]!
    p[i] = cosine * a - sine * b
    q[i] = sine * a + cosine * b
  }
  const moved = (sine / cosine) * product
  squares[first] = Math.max(0, squares[first]! - moved)
  squares[second]! += moved
  return true
}
