/**
 * The script of the page that `eigenae explore` makes. The networks run here, in the reader's browser. It is bundled into
 * a single text that becomes part of the page.
 */

import type { ImageShape } from '../../model/architecture.js'
import { reach, stripCell, stripPictures } from '../explore/explore-format.js'
import { type Explored, forward, LatentPoint, type Network, unpack } from './explored-network.js'
import { distance, drawPicture, find, onSchemeChange, Pictures } from './pictures.js'
import { Scatter } from './scatter.js'

function start({ pixels, labels, shape, noise, networks }: Explored): void {
  const pictures = new Pictures(pixels, labels, shape)
  const input = new InputPanel(pictures, noise.initial, () => {
    for (const panel of panels) panel.encode(input.image, input.noisy, pictures.clean(input.image))
  })
  const together = document.querySelector<HTMLInputElement>('#together')
  const panels = networks.map((network, run): RunPanel => {
    const act = (action: Action) => {
      for (const each of together?.checked ? panels : [panel]) each.act(action)
    }
    const section = find(`[data-run="${run}"]`)
    const panel = new RunPanel(section, network, shape, pictures, act, (image) => input.choose(image))
    return panel
  })
  input.choose(0)
  onSchemeChange(() => {
    input.draw()
    for (const panel of panels) panel.redraw()
  })
  // For the browser's console: eigenae.input, eigenae.runs[0].embedding and .picture.
  Object.assign(globalThis, {
    eigenae: {
      get input() {
        return input.noisy
      },
      get runs() {
        return panels.map((panel) => panel.shown)
      },
    },
  })
  document.body.dataset.ready = 'true'
}

/** The input of the networks: the chosen image and its noise. */
class InputPanel {
  readonly #pictures: Pictures
  readonly #onChange: () => void
  readonly #noise = find<HTMLInputElement>('#noise')
  readonly #buttons = [...document.querySelectorAll<HTMLElement>('[data-label]')]
  image = 0

  /** @param noise the initial standard deviation */
  constructor(pictures: Pictures, noise: number, onChange: () => void) {
    this.#pictures = pictures
    this.#onChange = onChange
    // After a reload, a browser may restore the slider's last position.
    this.#noise.value = String(noise)
    this.#noise.addEventListener('input', () => this.choose(this.image))
    find('#previous').addEventListener('click', () => this.choose(pictures.after(this.image, -1)))
    find('#next').addEventListener('click', () => this.choose(pictures.after(this.image, 1)))
    for (const button of this.#buttons) {
      const label = Number(button.dataset.label)
      button.addEventListener('click', () => this.choose(pictures.after(this.image, 1, label)))
    }
    this.draw()
  }

  get noisy(): Float32Array {
    return this.#pictures.noisy(this.image, this.#noise.valueAsNumber)
  }

  choose(image: number): void {
    this.image = image
    this.#drawInput()
    this.#onChange()
  }

  /** Draws everything, including the small pictures on the buttons. */
  draw(): void {
    for (const button of this.#buttons) {
      const first = this.#pictures.labels.indexOf(Number(button.dataset.label))
      drawPicture(find('canvas', button), this.#pictures.clean(first))
    }
    this.#drawInput()
  }

  #drawInput(): void {
    const label = this.#pictures.labels[this.image]
    const deviation = this.#noise.valueAsNumber.toFixed(2)
    drawPicture(find('#clean'), this.#pictures.clean(this.image))
    drawPicture(find('#noisy'), this.noisy)
    find('#image').textContent = `image ${this.image}, label ${label}`
    find<HTMLOutputElement>('#noise-value').value = deviation
    this.#noise.setAttribute('aria-valuetext', `standard deviation ${deviation}`)
    for (const button of this.#buttons)
      button.setAttribute('aria-pressed', String(Number(button.dataset.label) === label))
  }
}

/** A reader's change of the point in one run or in both. */
type Action = (point: LatentPoint) => void

const millisecondsPerFrame = 8

/** One run: its decoded picture follows its sliders, one per principal direction. */
class RunPanel {
  readonly #section: HTMLElement
  readonly #network: Network
  readonly #shape: ImageShape
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

  /**
   * @param onAction called with a change that the reader makes, for this run or for both
   * @param onChoose called with an image that the reader chooses in the plot
   */
  constructor(
    section: HTMLElement,
    network: Network,
    shape: ImageShape,
    pictures: Pictures,
    onAction: (action: Action) => void,
    onChoose: (image: number) => void,
  ) {
    this.#section = section
    this.#network = network
    this.#shape = shape
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
    const cell = stripCell(this.#shape)
    const margin = Math.floor((cell - this.#shape.width) / 2)
    for (const direction of this.#stale) {
      this.#stale.delete(direction)
      const strip = this.#strips[direction]!
      for (let i = 0; i < stripPictures; i++) {
        const setting = reach * ((2 * i) / (stripPictures - 1) - 1)
        const values = this.#decode(this.#point.embedding(this.#point.settings.with(direction, setting)))
        drawPicture(strip, values, i * (cell + 1) + margin)
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

unpack().then(start, (error: unknown) => {
  const trouble = find('#trouble')
  trouble.hidden = false
  trouble.textContent = `This browser cannot show the page: ${String(error)}. A current Chrome, Edge, Firefox or Safari can.`
})
