import { fillEvaluationNoise } from '../../model/random.js'
import type { NoiseField } from '../engine.js'
import { type Feed, feed } from '../tensorflow-graph/graph.js'

/** The noise of evaluations, drawn once and kept, because every epoch's evaluation uses the same. */
export class EvaluationNoise {
  readonly #inputs: number
  #field: NoiseField | null = null
  #values = new Float32Array(0)

  constructor(inputs: number) {
    this.#inputs = inputs
  }

  /** Returns [count][inputs] for the images from `first` on. */
  feed(field: NoiseField, first: number, count: number): Feed {
    if (this.#field?.seed !== field.seed || this.#field.deviation !== field.deviation) {
      this.#field = field
      this.#values = new Float32Array(0)
    }
    const drawn = this.#values.length / this.#inputs
    if (first + count > drawn) this.#draw(field, drawn, first + count)
    const values = this.#values.subarray(first * this.#inputs, (first + count) * this.#inputs)
    return feed([count, this.#inputs], values)
  }

  #draw({ seed, deviation }: NoiseField, from: number, to: number): void {
    const grown = new Float32Array(to * this.#inputs)
    grown.set(this.#values)
    for (let image = from; image < to; image++) {
      const values = grown.subarray(image * this.#inputs, (image + 1) * this.#inputs)
      fillEvaluationNoise(values, image, deviation, seed)
    }
    this.#values = grown
  }
}
