import { philox4x32, purpose } from './random.js'

/** The noise that evaluations add to an image, up to rounding: Box and Muller's of native/core/random.h. */
export function evaluationNoise(image: number, pixels: number, deviation: number): Float32Array {
  const noise = new Float32Array(pixels)
  for (let first = 0; first < pixels; first += 4) {
    const [w0, w1, w2, w3] = philox4x32([first / 4, image, 0, 0], [0, purpose.evaluationNoise])
    const values = [...boxMuller(w0, w1), ...boxMuller(w2, w3)]
    for (let i = 0; i < Math.min(4, pixels - first); i++) noise[first + i] = deviation * values[i]!
  }
  return noise
}

function boxMuller(radiusWord: number, angleWord: number): readonly [number, number] {
  const radius = Math.sqrt(-2 * Math.log(((radiusWord >>> 9) + 0.5) * 2 ** -23))
  const angle = 2 * Math.PI * (angleWord | 0) * 2 ** -32
  return [radius * Math.cos(angle), radius * Math.sin(angle)]
}
