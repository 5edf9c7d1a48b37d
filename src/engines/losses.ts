import type { Losses } from './engine.js'

/** Sums over the images that were trained on, as `Losses` in native/core/trainer.h. */
export interface LossSums {
  /** Of what is minimised: squared error + Σ weight · eigen loss, where a batch without an eigen loss adds 0. */
  readonly loss: number
  readonly squaredError: number
  /** Unweighted, over `eigenLossImages`. */
  readonly eigenLoss: number
  readonly images: number
  /** Images of the batches that had an eigen loss. */
  readonly eigenLossImages: number
}

/** The mean loss of an epoch, whether it is recorded at its end or shown on the way; 0 before the first batch. */
export function meanLoss(loss: number, images: number): number {
  return images === 0 ? 0 : loss / images
}

export function meanLosses({ loss, squaredError, eigenLoss, images, eigenLossImages }: LossSums): Losses {
  return {
    loss: meanLoss(loss, images),
    mse: squaredError / images,
    eigenLoss: eigenLossImages === 0 ? 0 : eigenLoss / eigenLossImages,
  }
}
