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

/** Returns the spectrum with the given singular values, the largest first. */
export function spectrumFrom(singularValues: Float64Array): Spectrum {
  const values = Array.from(singularValues)
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
