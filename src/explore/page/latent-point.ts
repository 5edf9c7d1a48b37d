import type { Network } from './network.js'

// Of the first direction's deviation: what is under it is no place, but the rounding of float32.
const rounding = 1e-6

/** A place in a network's latent space: where the encoder put a picture, moved along the principal directions. */
export class LatentPoint {
  readonly #network: Network
  #start: Float32Array = new Float32Array()
  /** In standard deviations from the mean, one a direction: at the start, and now. */
  #startSettings: readonly number[] = []
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

  /** Where the encoder put a picture. */
  place(embedding: Float32Array): void {
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

  back(): void {
    this.#settings = this.#startSettings
  }

  /** Along a direction, in the embedding's own units. */
  coordinate(direction: number): number {
    return this.#settings[direction]! * this.#network.directions[direction]!.deviation
  }

  /** The embedding here: exactly the encoder's, where nothing was moved. */
  get embedding(): Float32Array {
    return this.#embeddingAt(this.#settings)
  }

  /** The same with one direction set otherwise. */
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
