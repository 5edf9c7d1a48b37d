import { findAll } from './elements.js'

/** A run's sliders, one a principal direction, with the numbers beside them. */
export class Sliders {
  readonly #inputs: readonly HTMLInputElement[]
  readonly #outputs: readonly HTMLOutputElement[]

  constructor(section: Element, onMove: (direction: number, setting: number) => void) {
    this.#inputs = findAll(section, '.direction input', HTMLInputElement)
    this.#outputs = findAll(section, '.direction output', HTMLOutputElement)
    for (const [direction, input] of this.#inputs.entries()) {
      input.addEventListener('input', () => onMove(direction, input.valueAsNumber))
    }
  }

  /** Settings beyond a slider's end leave it there, and are told in numbers. */
  show(settings: readonly number[]): void {
    for (const [direction, setting] of settings.entries()) {
      const [input, text] = [this.#inputs[direction]!, signed(setting)]
      // The one that is being dragged holds its value already.
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
