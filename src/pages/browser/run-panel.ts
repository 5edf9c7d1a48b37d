import { reach, stripPictures } from '../explore/data.js'
import { forward, LatentPoint, type Network } from './network.js'
import { distance, drawPicture, find, type Pictures } from './pictures.js'
import { Scatter } from './scatter.js'

/** A reader's change of the point in one run or in both. */
export type Action = (point: LatentPoint) => void

export interface RunPanelParts {
  readonly section: HTMLElement
  readonly network: Network
  readonly pictures: Pictures
  readonly onAction: (action: Action) => void
  readonly onChoose: (image: number) => void
}

const millisecondsPerFrame = 8

/** One run: its decoded picture follows its sliders, one per principal direction. */
export class RunPanel {
  readonly #section: HTMLElement
  readonly #network: Network
  readonly #point: LatentPoint
  readonly #scatter: Scatter
  readonly #sliders: readonly HTMLInputElement[]
  readonly #settings: readonly HTMLOutputElement[]
  /** The decoder's output under each slider, from one end of the slider to the other. */
  readonly #strips: readonly HTMLCanvasElement[]
  /** The directions whose strips are to be drawn again. */
  readonly #stale = new Set<number>()
  #frame: number | null = null
  #clean = new Float32Array()
  #reconstruction = new Float32Array()
  #decoded = new Float32Array()

  constructor({ section, network, pictures, onAction, onChoose }: RunPanelParts) {
    this.#section = section
    this.#network = network
    this.#point = new LatentPoint(network)
    this.#scatter = new Scatter({ section, network, pictures, point: this.#point, onChoose })
    this.#sliders = [...section.querySelectorAll<HTMLInputElement>('.direction input')]
    this.#settings = [...section.querySelectorAll<HTMLOutputElement>('.direction output')]
    this.#strips = [...section.querySelectorAll<HTMLCanvasElement>('.strip')]
    for (const [direction, slider] of this.#sliders.entries())
      slider.addEventListener('input', () => {
        const setting = slider.valueAsNumber
        onAction((point) => {
          if (direction < point.settings.length) point.settings = point.settings.with(direction, setting)
        })
      })
    find('.reset', section).addEventListener('click', () => onAction((point) => point.reset()))
    find('.mean', section).addEventListener('click', () =>
      onAction((point) => {
        point.settings = point.settings.map(() => 0)
      }),
    )
  }

  /** The current numbers, for the browser's console. */
  get shown(): { readonly embedding: Float32Array; readonly picture: Float32Array } {
    return { embedding: this.#point.embedding(), picture: this.#decoded }
  }

  /** Encodes a picture and moves the sliders to its embedding. */
  encode(image: number, input: Float32Array, clean: Float32Array): void {
    const embedding = forward(this.#network.encoder, input)
    this.#point.startAt(embedding)
    this.#clean = clean as Float32Array<ArrayBuffer>
    this.#reconstruction = this.#decode(embedding)
    this.#scatter.choose(image)
    this.#show()
  }

  act(action: Action): void {
    action(this.#point)
    this.#show()
  }

  /** Draws everything again after a change of colours. */
  redraw(): void {
    this.#show()
    this.#scatter.draw()
  }

  #decode(embedding: Float32Array): Float32Array<ArrayBuffer> {
    return forward(this.#network.decoder, embedding) as Float32Array<ArrayBuffer>
  }

  #show(): void {
    const { settings, moved } = this.#point
    this.#decoded = this.#decode(this.#point.embedding())
    drawPicture(find('.picture', this.#section), this.#decoded)
    const error = `MSE ${(distance(this.#decoded, this.#clean) ** 2).toFixed(4)}`
    find<HTMLOutputElement>('.error', this.#section).value = moved
      ? `decoded\n${error}\nmoved by ${distance(this.#decoded, this.#reconstruction).toFixed(4)}`
      : `reconstruction\n${error}`
    find<HTMLButtonElement>('.reset', this.#section).disabled = !moved
    for (const [direction, setting] of settings.entries()) this.#showSetting(direction, setting)
    // Only some strips are drawn per frame, so that the sliders stay responsive.
    for (const direction of settings.keys()) this.#stale.add(direction)
    this.#frame ??= requestAnimationFrame(this.#drawStrips)
    this.#scatter.drawMarks()
  }

  /** A setting beyond the end of its slider leaves the slider at the end; the number beside it shows the setting. */
  #showSetting(direction: number, setting: number): void {
    const [slider, text] = [this.#sliders[direction]!, signed(setting)]
    // A slider that is being dragged already has its value.
    if (slider.valueAsNumber !== setting) slider.value = String(setting)
    slider.setAttribute('aria-valuetext', `${text} standard deviations`)
    this.#settings[direction]!.value = text
  }

  readonly #drawStrips = () => {
    const end = performance.now() + millisecondsPerFrame
    for (const direction of this.#stale) {
      this.#stale.delete(direction)
      const strip = this.#strips[direction]!
      for (let i = 0; i < stripPictures; i++) {
        const setting = reach * ((2 * i) / (stripPictures - 1) - 1)
        const values = this.#decode(this.#point.embedding(this.#point.settings.with(direction, setting)))
        drawPicture(strip, values, i * (strip.height + 1))
      }
      if (performance.now() > end) break
    }
    this.#frame = this.#stale.size > 0 ? requestAnimationFrame(this.#drawStrips) : null
  }
}

/** "+1.25", "−0.30", "0.00". */
function signed(value: number): string {
  const text = Math.abs(value).toFixed(2)
  if (Number(text) === 0) return text
  return `${value > 0 ? '+' : '−'}${text}`
}
