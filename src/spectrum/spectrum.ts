import { jacobiRotation, maximumSweeps } from './principal-directions.js'
import { TimeSlice } from './time-slice.js'

/** The singular values of an embedding and the measures computed from them. Arrays are [latent], the largest first. */
export interface Spectrum {
  readonly singularValues: readonly number[]
  /** p = σ / Σσ. */
  readonly singularShares: readonly number[]
  /** λ = σ². */
  readonly eigenvalues: readonly number[]
  /** λ / Σλ. */
  readonly eigenShares: readonly number[]
  /** exp(−Σ p ln p): from 1 (all in one direction) to the number of dimensions, all equal (Roy and Vetterli 2007). */
  readonly effectiveRank: number
  /** Number of σᵢ below a thousandth of σ₁. */
  readonly deadDimensions: number
}

/** Returns whether a dimension is dead: `size` and `largest` are singular values, or standard deviations. */
export function isDead(size: number, largest: number): boolean {
  return size === 0 || size < deadShare * largest
}

const deadShare = 1e-3

/** Computes the spectrum of an embedding [count][latent]. @throws the signal's reason if it is aborted. */
export async function spectrumOf(
  embedding: ArrayLike<number>,
  latent: number,
  center: boolean,
  signal?: AbortSignal,
): Promise<Spectrum> {
  const values = Array.from(await singularValues(embedding, latent, center, signal))
  const eigenvalues = values.map((value) => value * value)
  const singularShares = shares(values)
  return {
    singularValues: values,
    singularShares,
    eigenvalues,
    eigenShares: shares(eigenvalues),
    effectiveRank: effectiveRankOf(singularShares),
    deadDimensions: values.filter((value) => isDead(value, values[0]!)).length,
  }
}

/** Returns a warning if a spectrum has too few images to show how many dimensions the network uses; null otherwise. */
export function tooFewImages(images: number, latent: number, center: boolean): string | null {
  const rank = center ? images - 1 : images
  if (!(rank < latent)) return null
  return `a spectrum of ${images} image${images === 1 ? '' : 's'}${center ? ', centered,' : ''} has at most ${rank} of ${latent} dimensions, whatever the network does`
}

/** Returns each value's share of the sum; zeros if all are 0. */
function shares(values: readonly number[]): readonly number[] {
  const sum = values.reduce((total, value) => total + value, 0)
  return values.map((value) => (sum === 0 ? 0 : value / sum))
}

/** Returns the effective rank of shares p = σ / Σσ; 0 if all are 0. */
export function effectiveRankOf(singularShares: readonly number[]): number {
  return singularShares.every((share) => share === 0) ? 0 : Math.exp(entropy(singularShares))
}

/**
 * Returns the same of a matrix with the given eigenvalues of its Gram matrix. Their square roots lose the singular values
 * below 1e-8 of the largest, which would add less than 1e-6 a column to the rank.
 */
export function effectiveRankOfGram(eigenvalues: Float64Array): number {
  return effectiveRankOf(shares(Array.from(eigenvalues, (value) => Math.sqrt(Math.max(0, value)))))
}

function entropy(probabilities: readonly number[]): number {
  return probabilities.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0)
}

/**
 * Returns the singular values of a matrix [rows][columns], row-major, the largest first: always `columns` values, zeros last
 * if there are fewer rows. Householder's QR with column pivoting leaves a small triangle; one-sided Jacobi rotations
 * (Hestenes 1958) make its rows orthogonal, in few sweeps because they are nearly so (Drmač and Veselić, "New fast and
 * accurate Jacobi SVD algorithm", 2008). All in double, so small values keep the digits that those of a Gram matrix would
 * lose. Hundreds of columns take seconds, in which the event loop still runs.
 * @throws the signal's reason if it is aborted.
 */
export async function singularValues(
  values: ArrayLike<number>,
  columns: number,
  center: boolean,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const matrix = columnsOf(values, columns, center)
  const slice = new TimeSlice(signal)
  await triangularise(matrix, slice)
  const triangle = Array.from(matrix, (_, row) => Float64Array.from(matrix, (column) => column[row]!))
  await orthogonalise(triangle, slice)
  return Float64Array.from(triangle, norm).sort().reverse()
}

/** Returns the columns, each padded to at least `columns` rows with zeros, which change no singular value. */
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
 * Makes the columns upper triangular by Householder reflections, each time of the column with the longest remainder (Golub
 * and Van Loan, "Matrix Computations", 5.4.2), which reorders the columns.
 */
async function triangularise(matrix: Float64Array[], slice: TimeSlice): Promise<void> {
  // The squared length of each column's remainder. Rounding in it affects the order only.
  const remainders = matrix.map((column) => dot(column, column))
  for (let k = 0; k < matrix.length; k++) {
    const longest = indexOfLargest(remainders, k)
    swap(matrix, k, longest)
    swap(remainders, k, longest)
    reflect(matrix, k)
    for (let j = k + 1; j < matrix.length; j++) remainders[j]! -= matrix[j]![k]! ** 2
    if (slice.isOver()) await slice.next()
  }
}

/** Returns the index of the largest value from `from` on; `from` itself if all are NaN. */
function indexOfLargest(values: readonly number[], from: number): number {
  return values.reduce((best, value, index) => (index > best && value > values[best]! ? index : best), from)
}

function swap<T>(array: T[], a: number, b: number): void {
  const first = array[a]!
  array[a] = array[b]!
  array[b] = first
}

/** Makes column k zero below its diagonal, by a reflection of all columns from k on. */
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

async function orthogonalise(rows: readonly Float64Array[], slice: TimeSlice): Promise<void> {
  const rounding = Number.EPSILON * Math.sqrt(rows.length)
  for (let sweep = 0; sweep < maximumSweeps; sweep++) {
    // Updated during the sweep, and computed again before the next one.
    const squares = rows.map((row) => dot(row, row))
    let rotated = false
    for (let p = 0; p < rows.length; p++) {
      for (let q = p + 1; q < rows.length; q++) rotated = rotatePair(rows, squares, p, q, rounding) || rotated
      if (slice.isOver()) await slice.next()
    }
    if (!rotated) return
  }
}

/** Makes two rows orthogonal. Returns false if they already are, to rounding. */
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
