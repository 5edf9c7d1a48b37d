import { find, ink } from './elements.js'
import { drawPicture } from './picture.js'
import type { Pictures } from './pictures.js'

const gap = 14

/** The image whose point is under the mouse, beside it. */
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
    this.#caption.style.color = ink(`digit-${label}`)
    const { offsetWidth, offsetHeight } = this.#box
    this.#box.style.left = `${Math.min(clientX + gap, innerWidth - offsetWidth - 4)}px`
    this.#box.style.top = `${Math.min(clientY + gap, innerHeight - offsetHeight - 4)}px`
  }

  hide(): void {
    this.#box.hidden = true
  }
}
