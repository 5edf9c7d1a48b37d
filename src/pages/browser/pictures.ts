import { evaluationNoise } from '../../model/random.js'
import { find, ink, isDark } from './elements.js'

/** The page's test images, with and without noise. */
export class Pictures {
  readonly labels: readonly number[]
  /** [images][pixels]. */
  readonly #bytes: Uint8Array
  /** The pixels of an image. */
  readonly #pixels: number
  /** The noise of each image at standard deviation 1. */
  readonly #noise = new Map<number, Float32Array>()

  constructor(bytes: Uint8Array, labels: readonly number[], side: number) {
    this.#bytes = bytes
    this.labels = labels
    this.#pixels = side * side
  }

  /** Returns an image with values from 0 to 1. */
  clean(image: number): Float32Array {
    const bytes = this.#bytes.subarray(image * this.#pixels, (image + 1) * this.#pixels)
    return Float32Array.from(bytes, (value) => value / 255)
  }

  /** Returns an image with the noise that evaluations add to it, scaled to a standard deviation. */
  noisy(image: number, deviation: number): Float32Array {
    const noise = this.#noise.get(image) ?? evaluationNoise(image, this.#pixels, 1)
    this.#noise.set(image, noise)
    return this.clean(image).map((value, i) => value + deviation * noise[i]!)
  }

  /** Returns the next image, or the next with the given label. After the last image comes the first. */
  after(image: number, step: 1 | -1, label?: number): number {
    const count = this.labels.length
    let next = image
    do next = (next + step + count) % count
    while (label !== undefined && this.labels[next] !== label)
    return next
  }
}

/** Draws side × side values of 0 to 1, dark on white as on paper, or light on dark on a dark page. */
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
    // ImageData rounds and clamps.
    const lightness = 255 * (dark ? values[i]! : 1 - values[i]!)
    data.set([lightness, lightness, lightness, 255], 4 * i)
  }
  canvas.getContext('2d')!.putImageData(image, left, 0)
}

/** Returns the root mean square of the difference. */
export function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length)
}

const previewGap = 14

/** Shows the image whose point is under the mouse, beside the pointer. */
export class Preview {
  readonly #box = find(document, '#preview', HTMLElement)
  readonly #canvas = find(this.#box, 'canvas', HTMLCanvasElement)
  readonly #caption = find(this.#box, 'span', HTMLElement)
  readonly #pictures: Pictures

  constructor(pictures: Pictures) {
    this.#pictures = pictures
  }

  show(image: number | null, label: number, { clientX, clientY }: MouseEvent): void {
    this.#box.hidden = image === null
    if (image === null) return
    drawPicture(this.#canvas, this.#pictures.clean(image))
    this.#caption.textContent = String(label)
    this.#caption.style.color = ink(`label-${label}`)
    const { offsetWidth, offsetHeight } = this.#box
    this.#box.style.left = `${Math.min(clientX + previewGap, innerWidth - offsetWidth - 4)}px`
    this.#box.style.top = `${Math.min(clientY + previewGap, innerHeight - offsetHeight - 4)}px`
  }

  hide(): void {
    this.#box.hidden = true
  }
}
