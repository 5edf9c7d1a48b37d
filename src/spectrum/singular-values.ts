/**
 * Singular values of a matrix [rows][columns], largest first; the smaller of the two dimensions does not matter: there
 * are always `columns` of them, zeros last. Householder's QR leaves a small triangle, and one-sided Jacobi rotations
 * (Hestenes 1958; Demmel and Veselić, "Jacobi's method is more accurate than QR", 1992) make its columns orthogonal:
 * all in double, so small values keep their digits, which those of a Gram matrix would lose.
 */
export function singularValues(values: ArrayLike<number>, columns: number, center: boolean): Float64Array {
  const matrix = columnsOf(values, columns, center)
  triangularise(matrix)
  const triangle = matrix.map((column) => column.subarray(0, columns))
  orthogonalise(triangle)
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

/** Householder reflections, one a column (Golub and Van Loan, "Matrix Computations", 5.2.1); R stays above. */
function triangularise(matrix: readonly Float64Array[]): void {
  for (const [k, column] of matrix.entries()) {
    const length = Math.sqrt(dot(column, column, k))
    if (length === 0) continue
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
}

const maximumSweeps = 60

function orthogonalise(columns: readonly Float64Array[]): void {
  for (let sweep = 0; sweep < maximumSweeps; sweep++) {
    let rotated = false
    for (let p = 0; p < columns.length; p++) {
      for (let q = p + 1; q < columns.length; q++) rotated = rotatePair(columns[p]!, columns[q]!) || rotated
    }
    if (!rotated) return
  }
}

/** Makes two columns orthogonal; false where they are so to rounding. */
function rotatePair(p: Float64Array, q: Float64Array): boolean {
  const [alpha, beta, gamma] = [dot(p, p), dot(q, q), dot(p, q)]
  if (Math.abs(gamma) <= Number.EPSILON * Math.sqrt(alpha * beta)) return false
  const zeta = (beta - alpha) / (2 * gamma)
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  const sine = cosine * tangent
  for (let i = 0; i < p.length; i++) {
    const [a, b] = [p[i]!, q[i]!]
    p[i] = cosine * a - sine * b
    q[i] = sine * a + cosine * b
  }
  return true
}
