import { philoxInto, purpose } from './random.js'

/** The noise that evaluations add to an image, up to rounding: Box and Muller's of native/core/random.h. */
export function evaluationNoise(image: number, pixels: number, deviation: number, seed = 0): Float32Array {
  const noise = new Float32Array(pixels)
  fillEvaluationNoise(noise, image, deviation, seed)
  return noise
}

/** The same into an array of the caller's, a pixel each. */
export function fillEvaluationNoise(
  noise: Float32Array,
  image: number,
  deviation: number,
  seed: number,
): void {
  const words = new Uint32Array(4)
  for (let pixel = 0; pixel < noise.length; pixel += 4) {
    philoxInto(words, pixel / 4, image, 0, 0, seed, purpose.evaluationNoise)
    fillPair(noise, pixel, words[0]!, words[1]!, deviation)
    fillPair(noise, pixel + 2, words[2]!, words[3]!, deviation)
  }
}

/** Two normal numbers from two words. What is written behind the end of the array is lost. */
function fillPair(noise: Float32Array, at: number, even: number, odd: number, deviation: number): void {
  const radius = deviation * Math.sqrt(-2 * Math.log(((even >>> 9) + 0.5) * 2 ** -23))
  const angle = 2 * Math.PI * (odd | 0) * 2 ** -32
  noise[at] = radius * Math.cos(angle)
  noise[at + 1] = radius * Math.sin(angle)
}
