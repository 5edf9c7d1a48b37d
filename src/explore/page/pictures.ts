import { evaluationNoise } from '../../model/evaluation-noise.js'

/** The page's test images, and each with its noise. */
export class Pictures {
  readonly labels: readonly number[]
  readonly #bytes: Uint8Array
  readonly #pixels: number
  readonly #fields = new Map<number, Float32Array>()

  constructor(bytes: Uint8Array, labels: readonly number[], side: number) {
    this.#bytes = bytes
    this.labels = labels
    this.#pixels = side * side
  }

  /** Values of 0 to 1. */
  clean(image: number): Float32Array {
    const bytes = this.#bytes.subarray(image * this.#pixels, (image + 1) * this.#pixels)
    return Float32Array.from(bytes, (value) => value / 255)
  }

  /** With the field of noise that evaluations add to this image, at a deviation. */
  noisy(image: number, deviation: number): Float32Array {
    const field = this.#fields.get(image) ?? evaluationNoise(image, this.#pixels, 1)
    this.#fields.set(image, field)
    return this.clean(image).map((value, i) => value + deviation * field[i]!)
  }

  /** The next image, around the end, that has the label, or any. */
  after(image: number, step: 1 | -1, label?: number): number {
    const count = this.labels.length
    let next = image
    do next = (next + step + count) % count
    while (label !== undefined && this.labels[next] !== label)
    return next
  }
}
