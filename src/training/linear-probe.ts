/** Embeddings [count][latent] with their digits. */
export interface LabelledEmbedding {
  readonly embedding: Float32Array
  readonly labels: Uint8Array
}

const classes = 10
const ridge = 1

/**
 * How well the digit can be read off the embedding by a linear map: ridge regression of one-hot labels (λ = 1, with an
 * intercept that is not penalised) on `train`, the largest output taken as the digit, share of hits on `test`.
 * Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 3.4.1 and 4.2.
 */
export function linearProbeAccuracy(
  train: LabelledEmbedding,
  test: LabelledEmbedding,
  latent: number,
): number {
  const mean = columnMeans(train.embedding, latent)
  const { gram, products } = normalEquations(train, mean, latent)
  const weights = solve(gram, products, latent)
  const intercepts = classShares(train.labels)
  let hits = 0
  test.labels.forEach((label, image) => {
    const row = test.embedding.subarray(image * latent, (image + 1) * latent)
    if (predict(row, mean, weights, intercepts) === label) hits++
  })
  return hits / test.labels.length
}

function columnMeans(embedding: Float32Array, latent: number): Float64Array {
  const sums = new Float64Array(latent)
  for (let i = 0; i < embedding.length; i++) sums[i % latent]! += embedding[i]!
  return sums.map((sum) => sum / (embedding.length / latent))
}

/** One-hot labels' means: what the intercepts are once the columns are centred. */
function classShares(labels: Uint8Array): Float64Array {
  const counts = new Float64Array(classes)
  for (const label of labels) counts[label]! += 1
  return counts.map((count) => count / labels.length)
}

/** XᵀX + λI, [latent][latent] (its lower triangle), and XᵀY, [latent][classes], X centred. */
function normalEquations({ embedding, labels }: LabelledEmbedding, mean: Float64Array, latent: number) {
  const gram = new Float64Array(latent * latent)
  const products = new Float64Array(latent * classes)
  const row = new Float64Array(latent)
  labels.forEach((label, image) => {
    for (let i = 0; i < latent; i++) row[i] = embedding[image * latent + i]! - mean[i]!
    for (let i = 0; i < latent; i++) {
      products[i * classes + label]! += row[i]!
      for (let j = 0; j <= i; j++) gram[i * latent + j]! += row[i]! * row[j]!
    }
  })
  for (let i = 0; i < latent; i++) gram[i * latent + i]! += ridge
  return { gram, products }
}

/** W of gram · W = products by Cholesky's L·Lᵀ, in place. */
function solve(gram: Float64Array, products: Float64Array, latent: number): Float64Array {
  for (let i = 0; i < latent; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = gram[i * latent + j]!
      for (let k = 0; k < j; k++) sum -= gram[i * latent + k]! * gram[j * latent + k]!
      gram[i * latent + j] = i === j ? Math.sqrt(sum) : sum / gram[j * latent + j]!
    }
  }
  for (let column = 0; column < classes; column++) {
    for (let i = 0; i < latent; i++) {
      let sum = products[i * classes + column]!
      for (let k = 0; k < i; k++) sum -= gram[i * latent + k]! * products[k * classes + column]!
      products[i * classes + column] = sum / gram[i * latent + i]!
    }
    for (let i = latent - 1; i >= 0; i--) {
      let sum = products[i * classes + column]!
      for (let k = i + 1; k < latent; k++) sum -= gram[k * latent + i]! * products[k * classes + column]!
      products[i * classes + column] = sum / gram[i * latent + i]!
    }
  }
  return products
}

function predict(
  row: Float32Array,
  mean: Float64Array,
  weights: Float64Array,
  intercepts: Float64Array,
): number {
  let [best, highest] = [0, -Infinity]
  for (let column = 0; column < classes; column++) {
    let score = intercepts[column]!
    for (let i = 0; i < row.length; i++) score += (row[i]! - mean[i]!) * weights[i * classes + column]!
    if (score > highest) [best, highest] = [column, score]
  }
  return best
}
