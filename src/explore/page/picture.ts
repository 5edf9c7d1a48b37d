import { isDark } from './elements.js'

/** Draws side × side values of 0 to 1, dark on white as on paper or, on a dark page, the other way round. */
export function drawPicture(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  left = 0,
  side = canvas.height,
): void {
  const image = new ImageData(side, side)
  const { data } = image
  const dark = isDark()
  for (let i = 0; i < side * side; i++) {
    // The array of the image rounds and clamps.
    const light = 255 * (dark ? values[i]! : 1 - values[i]!)
    data.set([light, light, light, 255], 4 * i)
  }
  canvas.getContext('2d')!.putImageData(image, left, 0)
}

/** Root of the mean square of the difference. */
export function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length)
}
