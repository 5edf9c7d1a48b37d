/**
 * The script of the page that `eigenae explore` makes. The networks run here, in the reader's browser. It is bundled into
 * a single text that becomes part of the page.
 */
import { type Explored, unpack } from './network.js'
import { drawPicture, find, onSchemeChange, Pictures } from './pictures.js'
import { RunPanel } from './run-panel.js'

function start({ pixels, labels, side, noise, networks }: Explored): void {
  const pictures = new Pictures(pixels, labels, side)
  const input = new InputPanel(pictures, noise.initial, () => {
    for (const panel of panels) panel.encode(input.image, input.noisy, pictures.clean(input.image))
  })
  const together = document.querySelector<HTMLInputElement>('#together')
  const panels = networks.map((network, run): RunPanel => {
    const panel = new RunPanel({
      section: find(`[data-run="${run}"]`),
      network,
      pictures,
      onAction: (action) => {
        for (const each of together?.checked ? panels : [panel]) each.act(action)
      },
      onChoose: (image) => input.choose(image),
    })
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

unpack().then(start, (error: unknown) => {
  const trouble = find('#trouble')
  trouble.hidden = false
  trouble.textContent = `This browser cannot show the page: ${String(error)}. A current Chrome, Edge, Firefox or Safari can.`
})
