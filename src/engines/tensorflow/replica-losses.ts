import type { Losses } from '../engine.js'
import { meanLosses } from '../losses.js'

/** Sums over the images of a call, of each replica, from the means of its batches [3][replicas]. */
export class ReplicaLosses {
  readonly #replicas: number
  readonly #squaredError: Float64Array
  readonly #eigenLoss: Float64Array
  readonly #weighted: Float64Array
  #images = 0
  #eigenLossImages = 0

  constructor(replicas: number) {
    this.#replicas = replicas
    this.#squaredError = new Float64Array(replicas)
    this.#eigenLoss = new Float64Array(replicas)
    this.#weighted = new Float64Array(replicas)
  }

  add(means: Float32Array, count: number, penalised: boolean): void {
    for (let replica = 0; replica < this.#replicas; replica++) {
      this.#squaredError[replica]! += means[replica]! * count
      this.#eigenLoss[replica]! += means[this.#replicas + replica]! * count
      this.#weighted[replica]! += means[2 * this.#replicas + replica]! * count
    }
    this.#images += count
    if (penalised) this.#eigenLossImages += count
  }

  /** Over all replicas so far; 0 before the first batch. */
  meanLoss(): number {
    return meanOverReplicas(this.losses())
  }

  losses(): readonly Losses[] {
    const [images, eigenLossImages] = [this.#images, this.#eigenLossImages]
    return Array.from(this.#squaredError, (squaredError, replica) => {
      const [eigenLoss, weighted] = [this.#eigenLoss[replica]!, this.#weighted[replica]!]
      return meanLosses({ loss: squaredError + weighted, squaredError, eigenLoss, images, eigenLossImages })
    })
  }
}

export function meanOverReplicas(losses: readonly Losses[]): number {
  return losses.reduce((sum, { loss }) => sum + loss, 0) / losses.length
}
