import { find, findAll } from './elements.js'
import { LatentPoint } from './latent-point.js'
import { forward, type Network } from './network.js'
import { distance, drawPicture } from './picture.js'
import type { Pictures } from './pictures.js'
import type { Preview } from './preview.js'
import { Scatter } from './scatter.js'
import { Sliders } from './sliders.js'
import { Strips } from './strips.js'

/** What a reader can do to a point, in one run or in both. */
export type Action = (point: LatentPoint) => void

export interface RunPanelParts {
  readonly section: HTMLElement
  readonly network: Network
  readonly pictures: Pictures
  readonly preview: Preview
  readonly onAction: (action: Action, panel: RunPanel) => void
  readonly onChoose: (image: number) => void
}

/** One run: its picture follows its sliders. */
export class RunPanel {
  readonly #network: Network
  readonly #point: LatentPoint
  readonly #picture: HTMLCanvasElement
  readonly #error: HTMLOutputElement
  readonly #back: HTMLButtonElement
  readonly #sliders: Sliders
  readonly #strips: Strips
  readonly #scatter: Scatter
  #clean = new Float32Array()
  #reconstruction = new Float32Array()
  #made = new Float32Array()

  constructor({ section, network, pictures, preview, onAction, onChoose }: RunPanelParts) {
    const point = new LatentPoint(network)
    this.#network = network
    this.#point = point
    this.#picture = find(section, '.picture', HTMLCanvasElement)
    this.#error = find(section, '.error', HTMLOutputElement)
    this.#back = find(section, '.back', HTMLButtonElement)
    this.#sliders = new Sliders(section, (direction, setting) =>
      onAction((each) => each.settings.length > direction && each.move(direction, setting), this),
    )
    this.#strips = new Strips(findAll(section, '.strip', HTMLCanvasElement), network, point)
    this.#scatter = new Scatter({ section, network, labels: pictures.labels, point, preview, onChoose })
    this.#back.addEventListener('click', () => onAction((each) => each.back(), this))
    const mean = find(section, '.mean', HTMLButtonElement)
    mean.addEventListener('click', () => onAction((each) => each.moveToMean(), this))
  }

  /** What is shown, as numbers: for the browser's console. */
  get shown(): { readonly embedding: Float32Array; readonly picture: Float32Array } {
    return { embedding: this.#point.embedding, picture: this.#made }
  }

  /** A picture goes in: the sliders go where the encoder puts it. */
  take(image: number, input: Float32Array, clean: Float32Array): void {
    const embedding = forward(this.#network.encoder, input)
    this.#point.place(embedding)
    this.#clean = clean as Float32Array<ArrayBuffer>
    this.#reconstruction = forward(this.#network.decoder, embedding) as Float32Array<ArrayBuffer>
    this.#scatter.choose(image)
    this.show()
  }

  act(action: Action): void {
    action(this.#point)
    this.show()
  }

  show(): void {
    this.#made = forward(this.#network.decoder, this.#point.embedding) as Float32Array<ArrayBuffer>
    drawPicture(this.#picture, this.#made)
    this.#error.value = this.#errorText()
    this.#back.disabled = !this.#point.moved
    this.#sliders.show(this.#point.settings)
    this.#strips.refresh()
    this.#scatter.drawMarks()
  }

  /** The colours have changed. */
  redraw(): void {
    this.show()
    this.#scatter.draw()
  }

  #errorText(): string {
    const error = `MSE ${(distance(this.#made, this.#clean) ** 2).toFixed(4)}`
    if (!this.#point.moved) return `reconstruction\n${error}`
    return `decoded\n${error}\nmoved by ${distance(this.#made, this.#reconstruction).toFixed(4)}`
  }
}
