/**
 * The script of the page that `eigenae explore` makes. The networks run here, in the reader's browser. It is bundled into
 * a single text that becomes part of the page.
 */
import { find, onSchemeChange } from './elements.js'
import { InputPanel } from './input-panel.js'
import { type Explored, unpack } from './network.js'
import { Pictures, Preview } from './pictures.js'
import { type Action, RunPanel } from './run-panel.js'

function start({ pixels, labels, side, noise, networks }: Explored): void {
  const pictures = new Pictures(pixels, labels, side)
  const preview = new Preview(pictures)
  const input = new InputPanel(pictures, noise, () => encodeInput())
  const together = document.querySelector<HTMLInputElement>('#together')
  const act = (action: Action, panel: RunPanel) => {
    for (const each of together?.checked ? panels : [panel]) each.act(action)
  }
  const panels = networks.map((network, run) => {
    const section = find(document, `[data-run="${run}"]`, HTMLElement)
    const onChoose = (image: number) => input.choose(image)
    return new RunPanel({ section, network, pictures, preview, onAction: act, onChoose })
  })
  const encodeInput = () => {
    for (const panel of panels) panel.encode(input.image, input.input, input.clean)
  }
  input.draw()
  encodeInput()
  onSchemeChange(() => {
    input.draw()
    for (const panel of panels) panel.redraw()
  })
  // For the browser's console: eigenae.input, eigenae.runs[0].embedding and .picture.
  Object.assign(globalThis, {
    eigenae: {
      get input() {
        return input.input
      },
      get runs() {
        return panels.map((panel) => panel.shown)
      },
    },
  })
  document.body.dataset.ready = 'true'
}

unpack().then(start, (error: unknown) => {
  const trouble = find(document, '#trouble', HTMLElement)
  trouble.hidden = false
  trouble.textContent = `This browser cannot show the page: ${String(error)}. A current Chrome, Edge, Firefox or Safari can.`
})
