import type { Losses } from './engine.js'

/** Sums over the images that were trained on: `Losses` in native/core/trainer.h. */
export interface LossSums {
  /** squared error + Σ weight · eigen loss; a batch that has no eigen loss adds 0 for it. */
  readonly loss: number
  readonly squaredError: number
  /** The unweighted eigen losses, over `eigenLossImages`. */
  readonly eigenLoss: number
  readonly images: number
  /** Images of the batches that had an eigen loss. */
  readonly eigenLossImages: number
}

/**
 * Returns the mean over images, from their sum, for the rows of a run and for its progress alike; 0 if there are no
 * images.
 */
export function meanLoss(sum: number, images: number): number {
  return images === 0 ? 0 : sum / images
}

export function meanLosses({ loss, squaredError, eigenLoss, images, eigenLossImages }: LossSums): Losses {
  const weighted = meanLoss(loss - squaredError, eigenLossImages)
  return {
    loss: meanLoss(loss, images),
    mse: meanLoss(squaredError, images),
    terms: eigenLossImages === 0 ? [] : [{ value: meanLoss(eigenLoss, eigenLossImages), weighted }],
  }
}
