import type { TimeSlice } from './time-slice.js'

/**
 * Returns exp(−Σ p ln p) with p = σ/Σσ (Roy and Vetterli 2007) of a matrix by the eigenvalues of its Gram matrix; 0 if
 * all are 0. Their square roots lose the singular values below 1e-8 of the largest, which would add less than 1e-6 a
 * column to the rank.
 */
export function effectiveRankOfGram(eigenvalues: Float64Array): number {
  const singular = eigenvalues.map((value) => Math.sqrt(Math.max(0, value)))
  const sum = singular.reduce((total, value) => total + value, 0)
  if (sum === 0) return 0
  const shares = singular.map((value) => value / sum).filter((share) => share > 0)
  return Math.exp(-shares.reduce((total, share) => total + share * Math.log(share), 0))
}

/**
 * Returns the eigenvalues of ZᵀZ for a matrix Z [rows][columns], row-major, in no order. The core's layer_measures.cc has
 * the same sums in the same order.
 */
export async function gramEigenvalues(
  values: ArrayLike<number>,
  columns: number,
  center: boolean,
  slice: TimeSlice,
): Promise<Float64Array> {
  return symmetricEigenvalues(await gramMatrix(values, columns, center, slice), slice)
}

/** Returns ZᵀZ as its rows, of Z or of Z without its columns' means. */
async function gramMatrix(
  values: ArrayLike<number>,
  columns: number,
  center: boolean,
  slice: TimeSlice,
): Promise<Float64Array[]> {
  const rows = values.length / columns
  const gram = Array.from({ length: columns }, () => new Float64Array(columns))
  const sums = new Float64Array(columns)
  const row = new Float64Array(columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) row[j] = values[i * columns + j]!
    for (let j = 0; j < columns; j++) {
      const [value, target] = [row[j]!, gram[j]!]
      sums[j]! += value
      for (let k = 0; k <= j; k++) target[k]! += value * row[k]!
    }
    if (slice.isOver()) await slice.next()
  }
  for (let j = 0; j < columns; j++) {
    for (let k = 0; k <= j; k++) {
      if (center) gram[j]![k]! -= (sums[j]! * sums[k]!) / rows
      gram[k]![j] = gram[j]![k]!
    }
  }
  return gram
}

/** Returns the eigenvalues of a symmetric matrix, which is overwritten, in no order. */
async function symmetricEigenvalues(matrix: Float64Array[], slice: TimeSlice): Promise<Float64Array> {
  const { diagonal, beside } = await tridiagonalise(matrix, slice)
  diagonaliseTridiagonal(diagonal, beside)
  return diagonal
}

/** Householder reflections from both sides (Golub and Van Loan, "Matrix Computations", 8.3.1). */
async function tridiagonalise(matrix: Float64Array[], slice: TimeSlice) {
  const size = matrix.length
  const diagonal = new Float64Array(size)
  const beside = new Float64Array(size) // beside[i] is the element (i, i − 1)
  const v = new Float64Array(size)
  const p = new Float64Array(size)
  for (let k = 0; k < size - 1; k++) {
    const column = matrix[k]! // symmetric: row k from k + 1 on is column k
    let norm = 0
    for (let i = k + 1; i < size; i++) norm += column[i]! * column[i]!
    norm = Math.sqrt(norm)
    const alpha = column[k + 1]! > 0 ? -norm : norm
    beside[k + 1] = alpha
    if (norm === 0) continue
    for (let i = k + 1; i < size; i++) v[i] = column[i]!
    v[k + 1]! -= alpha
    // vᵀv = 2 · norm · (norm + |first element|)
    const factor = 1 / (norm * (norm + Math.abs(column[k + 1]!)))
    let product = 0
    for (let i = k + 1; i < size; i++) {
      const row = matrix[i]!
      let sum = 0
      for (let j = k + 1; j < size; j++) sum += row[j]! * v[j]!
      p[i] = factor * sum
      product += p[i]! * v[i]!
    }
    const half = (factor * product) / 2
    for (let i = k + 1; i < size; i++) p[i]! -= half * v[i]!
    for (let i = k + 1; i < size; i++) {
      const row = matrix[i]!
      for (let j = k + 1; j < size; j++) row[j]! -= v[i]! * p[j]! + p[i]! * v[j]!
    }
    if (slice.isOver()) await slice.next()
  }
  for (let i = 0; i < size; i++) diagonal[i] = matrix[i]![i]!
  return { diagonal, beside }
}

/** The implicit QL method ("tqli" of Press et al., "Numerical Recipes", 11.3); the diagonal becomes the eigenvalues. */
function diagonaliseTridiagonal(diagonal: Float64Array, beside: Float64Array): void {
  const size = diagonal.length
  const e = Float64Array.from({ length: size }, (_, i) => beside[i + 1] ?? 0)
  for (let l = 0; l < size; l++) {
    for (let iteration = 0; iteration < 60; iteration++) {
      let m = l
      while (m < size - 1 && !isNegligible(e[m]!, diagonal[m]!, diagonal[m + 1]!)) m++
      if (m === l) break
      qlStep(diagonal, e, l, m)
    }
  }
}

function isNegligible(value: number, a: number, b: number): boolean {
  return Math.abs(value) <= Number.EPSILON * (Math.abs(a) + Math.abs(b))
}

/** One implicit step with a shift on the block l … m. */
function qlStep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!)
  let r = Math.sqrt(g * g + 1)
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? Math.abs(r) : -Math.abs(r)))
  let [s, c, p] = [1, 1, 0]
  for (let i = m - 1; i >= l; i--) {
    const [f, b] = [s * e[i]!, c * e[i]!]
    r = Math.sqrt(f * f + g * g)
    e[i + 1] = r
    if (r === 0) {
      d[i + 1]! -= p
      e[m] = 0
      return
    }
    s = f / r
    c = g / r
    g = d[i + 1]! - p
    r = (d[i]! - g) * s + 2 * c * b
    p = s * r
    d[i + 1] = g + p
    g = c * r - b
  }
  d[l]! -= p
  e[l] = g
  e[m] = 0
}
