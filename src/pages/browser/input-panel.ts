import type { PageData } from '../explore/data.js'
import { find, findAll } from './elements.js'
import { drawPicture, type Pictures } from './pictures.js'

/** The input of the networks: the chosen image and its noise. */
export class InputPanel {
  readonly #pictures: Pictures
  readonly #clean = find(document, '#clean', HTMLCanvasElement)
  readonly #noisy = find(document, '#noisy', HTMLCanvasElement)
  readonly #name = find(document, '#image', HTMLElement)
  readonly #noise = find(document, '#noise', HTMLInputElement)
  readonly #noiseValue = find(document, '#noise-value', HTMLOutputElement)
  readonly #buttons = findAll(document, '[data-label]', HTMLButtonElement)
  readonly #onChange: () => void
  image = 0
  /** Standard deviation. */
  noise: number

  constructor(pictures: Pictures, noise: PageData['noise'], onChange: () => void) {
    this.#pictures = pictures
    this.#onChange = onChange
    this.noise = noise.initial
    // After a reload, a browser may restore the slider's last position.
    this.#noise.value = String(noise.initial)
    this.#noise.addEventListener('input', () => {
      this.noise = this.#noise.valueAsNumber
      this.#changed()
    })
    for (const [id, step] of [
      ['#previous', -1],
      ['#next', 1],
    ] as const) {
      find(document, id, HTMLButtonElement).addEventListener('click', () =>
        this.choose(pictures.after(this.image, step)),
      )
    }
    for (const button of this.#buttons) {
      const label = Number(button.dataset.label)
      button.addEventListener('click', () => this.choose(pictures.after(this.image, 1, label)))
    }
  }

  get clean(): Float32Array {
    return this.#pictures.clean(this.image)
  }

  get input(): Float32Array {
    return this.#pictures.noisy(this.image, this.noise)
  }

  choose(image: number): void {
    this.image = image
    this.#changed()
  }

  /** Draws everything, including the small pictures on the buttons. */
  draw(): void {
    for (const button of this.#buttons) {
      const first = this.#pictures.labels.indexOf(Number(button.dataset.label))
      drawPicture(find(button, 'canvas', HTMLCanvasElement), this.#pictures.clean(first))
    }
    this.#drawInput()
  }

  #changed(): void {
    this.#drawInput()
    this.#onChange()
  }

  #drawInput(): void {
    const label = this.#pictures.labels[this.image]
    drawPicture(this.#clean, this.clean)
    drawPicture(this.#noisy, this.input)
    this.#name.textContent = `image ${this.image}, label ${label}`
    this.#noiseValue.value = this.noise.toFixed(2)
    this.#noise.setAttribute('aria-valuetext', `standard deviation ${this.noise.toFixed(2)}`)
    for (const button of this.#buttons)
      button.setAttribute('aria-pressed', String(Number(button.dataset.label) === label))
  }
}
