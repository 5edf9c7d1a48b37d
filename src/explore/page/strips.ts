import { reach, stripPictures } from '../page-data.js'
import type { LatentPoint } from './latent-point.js'
import { forward, type Network } from './network.js'
import { drawPicture } from './picture.js'

const millisecondsAtOnce = 8

/** Under each slider, what the decoder makes on the way from one end to the other. */
export class Strips {
  readonly #canvases: readonly HTMLCanvasElement[]
  readonly #network: Network
  readonly #point: LatentPoint
  readonly #stale = new Set<number>()
  #frame: number | null = null

  constructor(canvases: readonly HTMLCanvasElement[], network: Network, point: LatentPoint) {
    this.#canvases = canvases
    this.#network = network
    this.#point = point
  }

  /** The point was moved: all are drawn again, as many in a frame as leave the sliders smooth. */
  refresh(): void {
    for (const direction of this.#canvases.keys()) this.#stale.add(direction)
    this.#frame ??= requestAnimationFrame(this.#drawSome)
  }

  readonly #drawSome = () => {
    const end = performance.now() + millisecondsAtOnce
    for (const direction of this.#stale) {
      this.#stale.delete(direction)
      this.#draw(direction)
      if (performance.now() > end) break
    }
    this.#frame = this.#stale.size > 0 ? requestAnimationFrame(this.#drawSome) : null
  }

  #draw(direction: number): void {
    const canvas = this.#canvases[direction]!
    for (let i = 0; i < stripPictures; i++) {
      const setting = reach * ((2 * i) / (stripPictures - 1) - 1)
      const values = forward(this.#network.decoder, this.#point.embeddingWith(direction, setting))
      drawPicture(canvas, values, i * (canvas.height + 1))
    }
  }
}
