interface PrincipalDirections {
  /** [latent]: the embedding's mean, the origin of the coordinates. */
  readonly mean: readonly number[]
  /** [latent] directions, the largest deviation first. */
  readonly directions: readonly PrincipalDirection[]
  /** [count][latent]: each point's coordinate along each direction. */
  readonly coordinates: Float64Array
}

export interface PrincipalDirection {
  /** Standard deviation along the direction: 0 if the embedding has no extent there. */
  readonly deviation: number
  /** [latent], a unit vector. */
  readonly vector: readonly number[]
}

interface PrincipalPlane {
  /** Each point's coordinates along the first two principal directions. */
  readonly points: readonly (readonly [number, number])[]
  /** Share of the variance along each; the second is 0 if there is only one dimension. */
  readonly shares: readonly [number, number]
}

/** Returns the directions of the largest variances of an embedding [count][latent] (Pearson 1901). */
export function principalDirections(embedding: ArrayLike<number>, latent: number): PrincipalDirections {
  const mean = meanOf(embedding, latent)
  const centred = Float64Array.from(embedding, (value, index) => value - mean[index % latent]!)
  const eigen = eigenvectors(covariance(centred, latent))
  // Rounding can make an eigenvalue of 0 negative.
  const directions = eigen.map(({ value, vector }) => ({ deviation: Math.sqrt(Math.max(0, value)), vector }))
  return { mean, directions, coordinates: project(centred, directions) }
}

/** Returns an embedding [count][latent] in the plane of its two largest variances. */
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

function project(centred: Float64Array, directions: readonly PrincipalDirection[]): Float64Array {
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

/** Diagonalises a symmetric matrix by Jacobi rotations (Golub and Van Loan, 8.5). Returns the largest eigenvalue first. */
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
    .map(({ value, vector }) => ({ value, vector: withPositiveSign(vector) }))
}

/** Makes matrix[p][q] zero. Returns false if it already is, to the rounding of the largest variance. */
function rotate(matrix: number[][], vectors: number[][], p: number, q: number, rounding: number): boolean {
  if (Math.abs(matrix[p]![q]!) <= rounding) return false
  const { cosine, sine } = jacobiRotation(matrix[p]![p]!, matrix[q]![q]!, matrix[p]![q]!)
  rotateColumns(matrix, p, q, cosine, sine)
  for (let j = 0; j < matrix.length; j++) {
    const [a, b] = [matrix[p]![j]!, matrix[q]![j]!]
    matrix[p]![j] = cosine * a - sine * b
    matrix[q]![j] = sine * a + cosine * b
  }
  rotateColumns(vectors, p, q, cosine, sine)
  return true
}

function rotateColumns(rows: number[][], p: number, q: number, cosine: number, sine: number): void {
  for (const row of rows) {
    const [a, b] = [row[p]!, row[q]!]
    row[p] = cosine * a - sine * b
    row[q] = sine * a + cosine * b
  }
}

/** The sign of an eigenvector is arbitrary. Its largest weight is made positive, so that pictures are reproducible. */
function withPositiveSign(vector: readonly number[]): readonly number[] {
  const largest = vector.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0)
  return largest < 0 ? vector.map((weight) => -weight) : vector
}

/** A bound for numbers that are not finite; otherwise 4 to 15 sweeps are needed. */
const maximumSweeps = 60

/**
 * Returns the rotation (a, b) → (cosine·a − sine·b, sine·a + cosine·b) that makes [[α, γ], [γ, β]] diagonal, by the smaller
 * of the two angles (Golub and Van Loan, "Matrix Computations", 8.5.2). α loses tan·γ, and β gains it.
 */
function jacobiRotation(alpha: number, beta: number, gamma: number) {
  const zeta = (beta - alpha) / (2 * gamma)
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  return { cosine, sine: cosine * tangent }
}
