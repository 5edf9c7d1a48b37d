import { philox4x32, purpose } from '../../model/random.js'
import type { NoiseField } from '../engine.js'
import { type Feed, feed } from './program.js'

/** The noise of evaluations, native/core/random.h's, drawn once and kept: every epoch asks for the same. */
export class EvaluationNoise {
  readonly #inputs: number
  #field: NoiseField | null = null
  #values = new Float32Array(0)

  constructor(inputs: number) {
    this.#inputs = inputs
  }

  /** [count][inputs] for the images from `first` on. */
  of(field: NoiseField, first: number, count: number): Feed {
    if (this.#field?.seed !== field.seed || this.#field.deviation !== field.deviation) this.#begin(field)
    const drawn = this.#values.length / this.#inputs
    if (first + count > drawn) this.#draw(field, drawn, first + count)
    const values = this.#values.subarray(first * this.#inputs, (first + count) * this.#inputs)
    return feed([count, this.#inputs], values)
  }

  #begin(field: NoiseField): void {
    this.#field = field
    this.#values = new Float32Array(0)
  }

  #draw({ seed, deviation }: NoiseField, from: number, to: number): void {
    const grown = new Float32Array(to * this.#inputs)
    grown.set(this.#values)
    for (let image = from; image < to; image++) {
      const values = grown.subarray(image * this.#inputs, (image + 1) * this.#inputs)
      fillImage(values, seed, image, deviation)
    }
    this.#values = grown
  }
}

function fillImage(values: Float32Array, seed: number, image: number, deviation: number): void {
  for (let pixel = 0; pixel < values.length; pixel += 4) {
    const [w0, w1, w2, w3] = philox4x32([pixel / 4, image, 0, 0], [seed, purpose.evaluationNoise])
    fillPair(values, pixel, w0, w1, deviation)
    fillPair(values, pixel + 2, w2, w3, deviation)
  }
}

/** Box and Muller: two normal numbers from two words. What is written behind the end of the array is lost. */
function fillPair(values: Float32Array, at: number, even: number, odd: number, deviation: number): void {
  const radius = deviation * Math.sqrt(-2 * Math.log(((even >>> 9) + 0.5) * 2 ** -23))
  const angle = 2 * Math.PI * (odd | 0) * 2 ** -32
  values[at] = radius * Math.cos(angle)
  values[at + 1] = radius * Math.sin(angle)
}
