import { reach, stripPictures } from '../explore/data.js'
import { find, findAll } from './elements.js'
import { LatentPoint } from './latent-point.js'
import { forward, type Network } from './network.js'
import { distance, drawPicture, type Pictures, type Preview } from './pictures.js'
import { Scatter } from './scatter.js'

/** A reader's change of the point in one run or in both. */
export type Action = (point: LatentPoint) => void

export interface RunPanelParts {
  readonly section: HTMLElement
  readonly network: Network
  readonly pictures: Pictures
  readonly preview: Preview
  readonly onAction: (action: Action, panel: RunPanel) => void
  readonly onChoose: (image: number) => void
}

/** One run: its decoded picture follows its sliders. */
export class RunPanel {
  readonly #network: Network
  readonly #point: LatentPoint
  readonly #picture: HTMLCanvasElement
  readonly #error: HTMLOutputElement
  readonly #reset: HTMLButtonElement
  readonly #sliders: Sliders
  readonly #strips: Strips
  readonly #scatter: Scatter
  #clean = new Float32Array()
  #reconstruction = new Float32Array()
  #decoded = new Float32Array()

  constructor({ section, network, pictures, preview, onAction, onChoose }: RunPanelParts) {
    const point = new LatentPoint(network)
    this.#network = network
    this.#point = point
    this.#picture = find(section, '.picture', HTMLCanvasElement)
    this.#error = find(section, '.error', HTMLOutputElement)
    this.#reset = find(section, '.reset', HTMLButtonElement)
    this.#sliders = new Sliders(section, (direction, setting) =>
      onAction((each) => each.settings.length > direction && each.move(direction, setting), this),
    )
    this.#strips = new Strips(findAll(section, '.strip', HTMLCanvasElement), network, point)
    this.#scatter = new Scatter({ section, network, labels: pictures.labels, point, preview, onChoose })
    this.#reset.addEventListener('click', () => onAction((each) => each.reset(), this))
    const mean = find(section, '.mean', HTMLButtonElement)
    mean.addEventListener('click', () => onAction((each) => each.moveToMean(), this))
  }

  /** The current numbers, for the browser's console. */
  get shown(): { readonly embedding: Float32Array; readonly picture: Float32Array } {
    return { embedding: this.#point.embedding, picture: this.#decoded }
  }

  /** Encodes a picture and moves the sliders to its embedding. */
  encode(image: number, input: Float32Array, clean: Float32Array): void {
    const embedding = forward(this.#network.encoder, input)
    this.#point.startAt(embedding)
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
    this.#decoded = forward(this.#network.decoder, this.#point.embedding) as Float32Array<ArrayBuffer>
    drawPicture(this.#picture, this.#decoded)
    this.#error.value = this.#errorText()
    this.#reset.disabled = !this.#point.moved
    this.#sliders.show(this.#point.settings)
    this.#strips.refresh()
    this.#scatter.drawMarks()
  }

  /** Draws everything again after a change of colours. */
  redraw(): void {
    this.show()
    this.#scatter.draw()
  }

  #errorText(): string {
    const error = `MSE ${(distance(this.#decoded, this.#clean) ** 2).toFixed(4)}`
    if (!this.#point.moved) return `reconstruction\n${error}`
    return `decoded\n${error}\nmoved by ${distance(this.#decoded, this.#reconstruction).toFixed(4)}`
  }
}

/** A run's sliders, one per principal direction, with their values beside them. */
class Sliders {
  readonly #inputs: readonly HTMLInputElement[]
  readonly #outputs: readonly HTMLOutputElement[]

  constructor(section: Element, onMove: (direction: number, setting: number) => void) {
    this.#inputs = findAll(section, '.direction input', HTMLInputElement)
    this.#outputs = findAll(section, '.direction output', HTMLOutputElement)
    for (const [direction, input] of this.#inputs.entries()) {
      input.addEventListener('input', () => onMove(direction, input.valueAsNumber))
    }
  }

  /** A setting beyond the end of its slider leaves the slider at the end; the number beside it shows the setting. */
  show(settings: readonly number[]): void {
    for (const [direction, setting] of settings.entries()) {
      const [input, text] = [this.#inputs[direction]!, signed(setting)]
      // A slider that is being dragged already has its value.
      if (input.valueAsNumber !== setting) input.value = String(setting)
      input.setAttribute('aria-valuetext', `${text} standard deviations`)
      this.#outputs[direction]!.value = text
    }
  }
}

/** "+1.25", "−0.30", "0.00". */
function signed(value: number): string {
  const text = Math.abs(value).toFixed(2)
  if (Number(text) === 0) return text
  return `${value > 0 ? '+' : '−'}${text}`
}

const millisecondsPerFrame = 8

/** The decoder's output under each slider, from one end of the slider to the other. */
class Strips {
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

  /** Draws all strips again after the point has moved, only some per frame, so that the sliders stay responsive. */
  refresh(): void {
    for (const direction of this.#canvases.keys()) this.#stale.add(direction)
    this.#frame ??= requestAnimationFrame(this.#drawSome)
  }

  readonly #drawSome = () => {
    const end = performance.now() + millisecondsPerFrame
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
