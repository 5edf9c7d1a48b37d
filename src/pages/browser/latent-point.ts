import type { Network } from './network.js'

// A deviation below this share of the first direction's is only float32 rounding.
const rounding = 1e-6

/** A point in a network's latent space: the embedding of a picture, moved along the principal directions. */
export class LatentPoint {
  readonly #network: Network
  #start: Float32Array = new Float32Array()
  /** The initial settings, one per direction, in standard deviations from the mean. */
  #startSettings: readonly number[] = []
  /** The current settings, likewise. */
  #settings: readonly number[] = []

  constructor(network: Network) {
    this.#network = network
  }

  get settings(): readonly number[] {
    return this.#settings
  }

  get moved(): boolean {
    return this.#settings.some((setting, direction) => setting !== this.#startSettings[direction])
  }

  /** Starts from the embedding of a picture. */
  startAt(embedding: Float32Array): void {
    const { mean, directions } = this.#network
    this.#start = embedding
    this.#startSettings = directions.map(({ vector, deviation }) => {
      const along = vector.reduce((sum, weight, j) => sum + weight * (embedding[j]! - mean[j]!), 0)
      return deviation <= rounding * directions[0]!.deviation ? 0 : along / deviation
    })
    this.#settings = this.#startSettings
  }

  move(direction: number, setting: number): void {
    this.#settings = this.#settings.with(direction, setting)
  }

  moveToMean(): void {
    this.#settings = this.#settings.map(() => 0)
  }

  reset(): void {
    this.#settings = this.#startSettings
  }

  /** Returns the position along a direction, in the units of the embedding. */
  coordinate(direction: number): number {
    return this.#settings[direction]! * this.#network.directions[direction]!.deviation
  }

  /** The embedding at this point. Without a move, it is exactly the encoder's. */
  get embedding(): Float32Array {
    return this.#embeddingAt(this.#settings)
  }

  /** Returns the embedding with one direction changed. */
  embeddingWith(direction: number, setting: number): Float32Array {
    return this.#embeddingAt(this.#settings.with(direction, setting))
  }

  #embeddingAt(settings: readonly number[]): Float32Array {
    const moves = Float64Array.from(this.#start)
    for (const [direction, { vector, deviation }] of this.#network.directions.entries()) {
      const distance = (settings[direction]! - this.#startSettings[direction]!) * deviation
      for (const [j, weight] of vector.entries()) moves[j]! += distance * weight
    }
    return Float32Array.from(moves)
  }
}
