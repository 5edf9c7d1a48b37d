import type { Losses } from './engine.js'

/** Sums over the images that were trained on, as `Losses` in native/core/trainer.h. */
export interface LossSums {
  readonly squaredError: number
  /** Unweighted, over `penaltyImages`. */
  readonly penalty: number
  readonly weighted: number
  readonly images: number
  /** Images of the batches that had a penalty. */
  readonly penaltyImages: number
}

export function meanLosses({ squaredError, penalty, weighted, images, penaltyImages }: LossSums): Losses {
  return {
    loss: (squaredError + weighted) / images,
    mse: squaredError / images,
    penalty: penaltyImages === 0 ? 0 : penalty / penaltyImages,
  }
}
