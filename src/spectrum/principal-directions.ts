import { jacobiRotation, maximumSweeps } from './jacobi.js'

export interface PrincipalDirections {
  /** [latent]: the embedding's mean, from which coordinates count. */
  readonly mean: readonly number[]
  /** As many as dimensions, the largest deviation first. */
  readonly directions: readonly PrincipalDirection[]
  /** [count][latent]: each point along each direction. */
  readonly coordinates: Float64Array
}

export interface PrincipalDirection {
  /** The standard deviation along it: 0 where the embedding has no extent. */
  readonly deviation: number
  /** [latent], of length 1. */
  readonly vector: readonly number[]
}

export interface PrincipalPlane {
  /** Each point's place along the first two principal directions. */
  readonly points: readonly (readonly [number, number])[]
  /** Of the variance, along each; the second is 0 where there is one dimension. */
  readonly shares: readonly [number, number]
}

/** The directions of an embedding's [count][latent] largest variances (Pearson 1901). */
export function principalDirections(embedding: ArrayLike<number>, latent: number): PrincipalDirections {
  const mean = meanOf(embedding, latent)
  const centred = Float64Array.from(embedding, (value, index) => value - mean[index % latent]!)
  const found = eigenvectors(covariance(centred, latent))
  // Where there is no variance, rounding may leave a little less than none.
  const directions = found.map(({ value, vector }) => ({ deviation: Math.sqrt(Math.max(0, value)), vector }))
  return { mean, directions, coordinates: projected(centred, directions) }
}

/** An embedding [count][latent] seen along the two directions of its largest variance. */
export function principalPlane(embedding: ArrayLike<number>, latent: number): PrincipalPlane {
  const { directions, coordinates } = principalDirections(embedding, latent)
  const variances = directions.map(({ deviation }) => deviation ** 2)
  const total = variances.reduce((sum, variance) => sum + variance, 0)
  const share = (variance: number | undefined) => (total > 0 ? (variance ?? 0) / total : 0)
  return {
    points: Array.from({ length: embedding.length / latent }, (_, i) => [
      coordinates[i * latent]!,
      latent > 1 ? coordinates[i * latent + 1]! : 0,
    ]),
    shares: [share(variances[0]), share(variances[1])],
  }
}

function meanOf(embedding: ArrayLike<number>, latent: number): readonly number[] {
  const count = embedding.length / latent
  return Array.from({ length: latent }, (_, j) => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += embedding[i * latent + j]!
    return sum / count
  })
}

function projected(centred: Float64Array, directions: readonly PrincipalDirection[]): Float64Array {
  const latent = directions.length
  return centred.map((_, index) => {
    const { vector } = directions[index % latent]!
    const first = index - (index % latent)
    return vector.reduce((sum, weight, j) => sum + weight * centred[first + j]!, 0)
  })
}

function covariance(centred: Float64Array, latent: number): number[][] {
  const count = centred.length / latent
  const sums = Array.from({ length: latent }, () => new Array<number>(latent).fill(0))
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < latent; j++) {
      for (let k = 0; k < latent; k++) sums[j]![k]! += centred[i * latent + j]! * centred[i * latent + k]!
    }
  }
  return sums.map((row) => row.map((sum) => sum / Math.max(1, count - 1)))
}

/** Of a symmetric matrix, the largest eigenvalue first: Jacobi's rotations (Golub and Van Loan, 8.5). */
function eigenvectors(
  matrix: number[][],
): readonly { readonly value: number; readonly vector: readonly number[] }[] {
  const size = matrix.length
  const rounding = Number.EPSILON * Math.max(...matrix.map((row, i) => row[i]!))
  const vectors = matrix.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < maximumSweeps; sweep++) {
    let rotated = false
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) rotated = rotate(matrix, vectors, p, q, rounding) || rotated
    }
    if (!rotated) break
  }
  return matrix
    .map((row, i) => ({ value: row[i]!, vector: vectors.map((each) => each[i]!) }))
    .sort((a, b) => b.value - a.value)
    .map(({ value, vector }) => ({ value, vector: pointedUp(vector) }))
}

/** Makes matrix[p][q] zero; false where it is so to rounding, that of the largest variance. */
function rotate(matrix: number[][], vectors: number[][], p: number, q: number, rounding: number): boolean {
  if (Math.abs(matrix[p]![q]!) <= rounding) return false
  const { cosine, sine } = jacobiRotation(matrix[p]![p]!, matrix[q]![q]!, matrix[p]![q]!)
  turnColumns(matrix, p, q, cosine, sine)
  for (let j = 0; j < matrix.length; j++) {
    const [a, b] = [matrix[p]![j]!, matrix[q]![j]!]
    matrix[p]![j] = cosine * a - sine * b
    matrix[q]![j] = sine * a + cosine * b
  }
  turnColumns(vectors, p, q, cosine, sine)
  return true
}

function turnColumns(rows: number[][], p: number, q: number, cosine: number, sine: number): void {
  for (const row of rows) {
    const [a, b] = [row[p]!, row[q]!]
    row[p] = cosine * a - sine * b
    row[q] = sine * a + cosine * b
  }
}

/** An eigenvector's sign is anyone's choice: here its largest weight is positive, so that a picture stays the same. */
function pointedUp(vector: readonly number[]): readonly number[] {
  const largest = vector.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0)
  return largest < 0 ? vector.map((weight) => -weight) : vector
}
