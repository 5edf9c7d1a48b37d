/** The pictures of the page of `eigenae explore`, and the colours in which they are drawn. */
import type { ImageShape } from '../../model/architecture.js'
import { evaluationNoise } from '../../model/random.js'

/** Returns the first element that matches; the page has one. */
export function find<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T {
  return within.querySelector<T>(selector)!
}

/** The page's test images, with and without noise. */
export class Pictures {
  readonly labels: readonly number[]
  /** [images][pixels]. */
  readonly #bytes: Uint8Array
  /** The pixels of an image. */
  readonly #pixels: number
  /** The noise of each image at standard deviation 1. */
  readonly #noise = new Map<number, Float32Array>()

  constructor(bytes: Uint8Array, labels: readonly number[], shape: ImageShape) {
    this.#bytes = bytes
    this.labels = labels
    this.#pixels = shape.width * shape.height
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

const darkScheme = matchMedia('(prefers-color-scheme: dark)')

// Cached because in Chromium, reading `matches` during a pending change suppresses its event.
let isDark = darkScheme.matches

export function onSchemeChange(redraw: () => void): void {
  darkScheme.addEventListener('change', ({ matches }) => {
    isDark = matches
    redraw()
  })
}

/** Returns a colour variable of the style in the reader's current colour scheme. */
export function ink(name: string, element: Element = document.documentElement): string {
  return getComputedStyle(element).getPropertyValue(`--${name}`)
}

/** Draws a picture of values of 0 to 1 as high as the canvas, dark on white as on paper, or light on dark on a dark page. */
export function drawPicture(canvas: HTMLCanvasElement, values: ArrayLike<number>, left = 0): void {
  const image = new ImageData(values.length / canvas.height, canvas.height)
  for (let i = 0; i < values.length; i++) {
    // ImageData rounds and clamps.
    const lightness = 255 * (isDark ? values[i]! : 1 - values[i]!)
    image.data.set([lightness, lightness, lightness, 255], 4 * i)
  }
  canvas.getContext('2d')!.putImageData(image, left, 0)
}

/** Returns the root mean square of the difference. */
export function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length)
}

const previewGap = 14

/** Shows an image beside the pointer; null hides it. */
export function showPreview(
  pictures: Pictures,
  image: number | null,
  { clientX, clientY }: MouseEvent,
): void {
  const box = find('#preview')
  box.hidden = image === null
  if (image === null) return
  const label = pictures.labels[image]
  const caption = find('span', box)
  drawPicture(find<HTMLCanvasElement>('canvas', box), pictures.clean(image))
  caption.textContent = String(label)
  caption.style.color = ink(`label-${label}`)
  box.style.left = `${Math.min(clientX + previewGap, innerWidth - box.offsetWidth - 4)}px`
  box.style.top = `${Math.min(clientY + previewGap, innerHeight - box.offsetHeight - 4)}px`
}
