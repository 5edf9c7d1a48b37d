import type { Losses } from './engine.js'

/** Sums over the images that were trained on, as `Losses` in native/core/trainer.h. */
export interface LossSums {
  /** Of what is minimised: squared error + Σ weight · penalty, where a batch without a penalty adds 0. */
  readonly loss: number
  readonly squaredError: number
  /** Unweighted, over `penaltyImages`. */
  readonly penalty: number
  readonly images: number
  /** Images of the batches that had a penalty. */
  readonly penaltyImages: number
}

/** The mean loss of an epoch, whether it is recorded at its end or shown on the way; 0 before the first batch. */
export function meanLoss(loss: number, images: number): number {
  return images === 0 ? 0 : loss / images
}

export function meanLosses({ loss, squaredError, penalty, images, penaltyImages }: LossSums): Losses {
  return {
    loss: meanLoss(loss, images),
    mse: squaredError / images,
    penalty: penaltyImages === 0 ? 0 : penalty / penaltyImages,
  }
}
