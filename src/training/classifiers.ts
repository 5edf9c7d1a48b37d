// Two classifiers on the embedding: a linear probe, and nearest neighbours.
import { coreMeasures } from '../engines/measures.js'
import { TimeSlice } from '../spectrum/time-slice.js'

/** Embeddings [count][latent] with their labels. */
export interface LabelledEmbedding {
  readonly embedding: Float32Array
  readonly labels: Uint8Array
}

/**
 * "apart": the scored images are not train images. "left-out": they are the first train images, each left out of the
 * fit that scores it.
 */
export type Scoring = 'apart' | 'left-out'

const ridge = 1

/**
 * Returns the share of `scored` whose label a linear map predicts from the embedding: ridge regression of one-hot
 * labels on `train` (λ = 1, the intercept is not penalised), with the largest output as the label. The classes are 0
 * to the largest label of `train`. A class without images has the output 0, which is never the largest, because the
 * outputs sum to 1. Hundreds of dimensions take minutes, so the event loop runs between time slices. Hastie,
 * Tibshirani and Friedman, "The Elements of Statistical Learning", 3.4.1 and 4.2; 7.10 for leave-one-out.
 * @throws the signal's reason once it is aborted.
 */
export async function linearProbeAccuracy(
  train: LabelledEmbedding,
  scored: LabelledEmbedding,
  latent: number,
  scoring: Scoring,
  signal?: AbortSignal,
): Promise<number> {
  const turns = new TimeSlice(signal)
  const mean = columnMeans(train.embedding, latent)
  const intercepts = classShares(train.labels)
  const { gram, products } = await normalEquations(train, mean, intercepts.length, turns)
  await factorise(gram, latent, turns)
  const weights = products.map((product) => solve(gram, product))
  const scores = new Float64Array(intercepts.length)
  let hits = 0
  for (const [image, label] of scored.labels.entries()) {
    const row = centredRow(scored.embedding, image, mean)
    for (const [column, ofClass] of weights.entries()) {
      let score = intercepts[column]!
      for (let i = 0; i < latent; i++) score += row[i]! * ofClass[i]!
      scores[column] = score
    }
    if (scoring === 'left-out') leaveOut(scores, label, leverage(row, gram) + 1 / train.labels.length)
    if (highest(scores) === label) hits++
    if (turns.isOver()) await turns.next()
  }
  return hits / scored.labels.length
}

function columnMeans(embedding: Float32Array, latent: number): Float64Array {
  const sums = new Float64Array(latent)
  for (let i = 0; i < embedding.length; i++) sums[i % latent]! += embedding[i]!
  return sums.map((sum) => sum / (embedding.length / latent))
}

function centredRow(embedding: Float32Array, image: number, mean: Float64Array): Float64Array {
  return mean.map((value, i) => embedding[image * mean.length + i]! - value)
}

/** Returns the means of the one-hot labels, [classes]. They are the intercepts, because the columns are centred. */
function classShares(labels: Uint8Array): Float64Array {
  const largest = labels.reduce((most, label) => Math.max(most, label), 0)
  const counts = new Float64Array(largest + 1)
  for (const label of labels) counts[label]! += 1
  return counts.map((count) => count / labels.length)
}

/** Returns XᵀX + λI, [latent][latent] (lower triangle), and YᵀX, [classes][latent], of the centred X. */
async function normalEquations(
  { embedding, labels }: LabelledEmbedding,
  mean: Float64Array,
  classes: number,
  turns: TimeSlice,
) {
  const latent = mean.length
  const gram = new Float64Array(latent * latent)
  const products = Array.from({ length: classes }, () => new Float64Array(latent))
  for (const [image, label] of labels.entries()) {
    const [row, product] = [centredRow(embedding, image, mean), products[label]!]
    for (let i = 0; i < latent; i++) {
      product[i]! += row[i]!
      for (let j = 0; j <= i; j++) gram[i * latent + j]! += row[i]! * row[j]!
    }
    if (turns.isOver()) await turns.next()
  }
  for (let i = 0; i < latent; i++) gram[i * latent + i]! += ridge
  return { gram, products }
}

/** Replaces the lower triangle of a matrix with Cholesky's L: matrix = L·Lᵀ. */
async function factorise(matrix: Float64Array, size: number, turns: TimeSlice): Promise<void> {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j]!
      for (let k = 0; k < j; k++) sum -= matrix[i * size + k]! * matrix[j * size + k]!
      matrix[i * size + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * size + j]!
    }
    if (turns.isOver()) await turns.next()
  }
}

/** Returns L⁻¹ · vector. */
function solveLower(lower: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length
  const solved = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    let sum = vector[i]!
    for (let k = 0; k < i; k++) sum -= lower[i * size + k]! * solved[k]!
    solved[i] = sum / lower[i * size + i]!
  }
  return solved
}

/** Returns (L·Lᵀ)⁻¹ · vector. */
function solve(lower: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length
  const solved = solveLower(lower, vector)
  for (let i = size - 1; i >= 0; i--) {
    let sum = solved[i]!
    for (let k = i + 1; k < size; k++) sum -= lower[k * size + i]! * solved[k]!
    solved[i] = sum / lower[i * size + i]!
  }
  return solved
}

/** Returns xᵀ(XᵀX + λI)⁻¹x of a centred row, from Cholesky's L: the influence of its label on its own prediction. */
function leverage(row: Float64Array, lower: Float64Array): number {
  return solveLower(lower, row).reduce((sum, value) => sum + value ** 2, 0)
}

/** Returns the index of the largest score, the lowest index if several are equal. */
function highest(scores: Float64Array): number {
  let best = 0
  for (let column = 1; column < scores.length; column++) if (scores[column]! > scores[best]!) best = column
  return best
}

/** Replaces the scores by those of the map fitted without the image: y − (y − ŷ) / (1 − h), where h is its leverage. */
function leaveOut(scores: Float64Array, label: number, h: number): void {
  scores.forEach((score, column) => {
    const target = column === label ? 1 : 0
    scores[column] = target - (target - score) / (1 - h)
  })
}

/** Number of neighbours that vote. */
export const neighbourCount = 5

interface NeighbourSearch {
  readonly latent: number
  readonly scoring: Scoring
  readonly threads: number
  /** Once aborted, the search throws the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Returns the share of `scored` whose label is the majority label of the five nearest embeddings in `train` (Fix and
 * Hodges 1951). A tie between labels goes to the label of the nearest. The search is exact.
 */
export async function nearestNeighbourAccuracy(
  train: LabelledEmbedding,
  scored: LabelledEmbedding,
  search: NeighbourSearch,
): Promise<number> {
  const nearest = await nearestIndices(train.embedding, scored.embedding, search)
  let hits = 0
  scored.labels.forEach((label, image) => {
    const found = nearest.subarray(image * neighbourCount, (image + 1) * neighbourCount)
    const present = Array.from(found).filter((index) => index >= 0)
    if (mostVotes(present.map((index) => train.labels[index]!)) === label) hits++
  })
  return hits / scored.labels.length
}

/**
 * Returns [queries][neighbourCount] indices, the nearest first, the lower index first if equally near, −1 if there are
 * too few points.
 */
export async function nearestIndices(
  points: Float32Array,
  queries: Float32Array,
  { latent, scoring, threads, signal }: NeighbourSearch,
): Promise<Int32Array> {
  signal?.throwIfAborted()
  const measures = await coreMeasures()
  const axes = widestFirst(points, latent)
  const { found, stop } = measures.findNeighbours({
    points: reorder(points, axes),
    queries: reorder(queries, axes),
    dimensions: latent,
    neighbours: neighbourCount,
    leaveOut: scoring === 'left-out',
    threads,
  })
  signal?.addEventListener('abort', stop)
  try {
    const indices = await found
    signal?.throwIfAborted()
    return indices
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Returns the axes of points [count][dimensions] by falling variance: the order in which distances are summed. */
function widestFirst(points: Float32Array, dimensions: number): Int32Array {
  const sums = new Float64Array(dimensions)
  const squares = new Float64Array(dimensions)
  points.forEach((value, position) => {
    sums[position % dimensions]! += value
    squares[position % dimensions]! += value * value
  })
  const count = points.length / dimensions
  const variances = squares.map((square, axis) => square / count - (sums[axis]! / count) ** 2)
  return Int32Array.from(variances.keys()).sort((a, b) => variances[b]! - variances[a]!)
}

function reorder(vectors: Float32Array, axes: Int32Array): Float32Array {
  const dimensions = axes.length
  const result = new Float32Array(vectors.length)
  for (let first = 0; first < vectors.length; first += dimensions)
    for (let j = 0; j < dimensions; j++) result[first + j] = vectors[first + axes[j]!]!
  return result
}

/** Returns the majority label, undefined for an empty list. @param labels the nearest first */
function mostVotes(labels: readonly number[]): number | undefined {
  const votes = (label: number) => labels.filter((other) => other === label).length
  return labels.reduce<number | undefined>(
    (best, label) => (best === undefined || votes(label) > votes(best) ? label : best),
    undefined,
  )
}
