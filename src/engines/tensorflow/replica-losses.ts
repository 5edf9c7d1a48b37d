import type { Losses } from '../engine.js'
import { meanLosses, type TermSums } from '../losses.js'
import type { ActiveTerms } from '../tensorflow-graph/step.js'

/** Each replica's sums over the images of a call, from the means of its batches. */
export class ReplicaLosses {
  readonly #squaredErrors: Float64Array
  /** [replicas][terms] */
  readonly #terms: readonly (readonly Writable<TermSums>[])[]
  #images = 0

  constructor(replicas: number, terms: number) {
    this.#squaredErrors = new Float64Array(replicas)
    this.#terms = Array.from({ length: replicas }, () =>
      Array.from({ length: terms }, () => ({ value: 0, weighted: 0, images: 0 })),
    )
  }

  /** @param means [1 + 2 · active][replicas], as trainingStep returns them */
  add(means: Float32Array, count: number, active: ActiveTerms): void {
    const replicas = this.#squaredErrors.length
    for (const [replica, terms] of this.#terms.entries()) {
      this.#squaredErrors[replica]! += means[replica]! * count
      for (const [row, index] of active.entries()) {
        const first = (1 + 2 * row) * replicas + replica
        const term = terms[index]!
        term.value += means[first]! * count
        term.weighted += means[first + replicas]! * count
        term.images += count
      }
    }
    this.#images += count
  }

  means(): readonly Losses[] {
    return Array.from(this.#squaredErrors, (squaredError, replica) => {
      const terms = this.#terms[replica]!
      const weighted = terms.reduce((sum, term) => sum + term.weighted, 0)
      return meanLosses({ loss: squaredError + weighted, squaredError, images: this.#images, terms })
    })
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

export function meanOverReplicas(losses: readonly Losses[]): number {
  return losses.reduce((sum, { loss }) => sum + loss, 0) / losses.length
}
