import { setFoot } from './output.js'

const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const eraseToLineEnd = '\x1b[K'
const eraseBelow = '\x1b[J'

/** The whole terminal on stdout, on its alternate screen: when it is closed, the terminal shows what it showed before. */
export class Screen {
  #isOpen = false

  /** The size in cells. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 }
  }

  /** Replaces the content. No line is wider than the terminal, and none has control characters. */
  draw(lines: readonly string[]): void {
    const begin = this.#isOpen ? home : enter + home
    if (!this.#isOpen) {
      this.#isOpen = true
      // Messages appear when the screen is closed.
      setFoot({ writeAbove: (write) => this.#messages.push(write) })
      process.on('exit', this.close)
    }
    process.stdout.write(begin + lines.map((line) => `${line}${eraseToLineEnd}\r\n`).join('') + eraseBelow)
  }

  readonly #messages: (() => void)[] = []

  readonly close = (): void => {
    process.off('exit', this.close)
    if (!this.#isOpen) return
    this.#isOpen = false
    process.stdout.write(leave)
    setFoot(null)
    for (const write of this.#messages.splice(0)) write()
  }
}
