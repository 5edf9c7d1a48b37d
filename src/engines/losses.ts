import type { Losses } from './engine.js'

/** Sums over the images that were trained on: `Losses` in native/core/trainer.h. */
export interface LossSums {
  /** squared error + Σ weight · eigen loss; a batch without an eigen loss adds 0 for it. */
  readonly loss: number
  readonly squaredError: number
  readonly images: number
  /** One for each eigen loss, in the order of the spec. */
  readonly terms: readonly TermSums[]
}

/** Sums over the images of the batches that had an eigen loss. */
export interface TermSums {
  /** Unweighted. */
  readonly value: number
  readonly weighted: number
  readonly images: number
}

/**
 * Returns the mean over images, from their sum, for the rows of a run and for its progress alike; 0 if there are no
 * images.
 */
export function meanLoss(sum: number, images: number): number {
  return images === 0 ? 0 : sum / images
}

export function meanLosses({ loss, squaredError, images, terms }: LossSums): Losses {
  return {
    loss: meanLoss(loss, images),
    mse: meanLoss(squaredError, images),
    terms: terms.map((term) => ({
      value: term.images === 0 ? Number.NaN : term.value / term.images,
      weighted: meanLoss(term.weighted, term.images),
    })),
  }
}
