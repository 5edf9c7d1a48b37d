import cliProgress, { type MultiBar, type Options, type Params, type SingleBar } from 'cli-progress'
import { clock, escapeLine } from './format.js'
import { setFoot } from './output.js'
import { truncate } from './shorten.js'

/** One progress bar and the text to the right of it. */
interface Bar {
  readonly done: number
  readonly total: number
  readonly text: string
  /** Width of the bar without its text, in cells, on a terminal of at least 80 columns. */
  readonly cells: number
  readonly indent?: number
}

// The terminal echoes "^C" after the last bar. In the last column, the echo would start another line.
const echoCells = 3

/**
 * Progress bars at the foot of the terminal on stderr. Text that output.ts writes in the meantime appears above them: the
 * bars are erased, the whole line is written, and the bars are drawn again. cli-progress's own `log` erases only the first
 * bar, and its `stop` drops the lines that it has not written yet.
 */
export class Bars {
  #drawn: MultiBar | null = null
  readonly #elements: SingleBar[] = []
  readonly #above: (() => void)[] = []

  /** Replaces the bars by the given ones, from top to bottom. cli-progress draws them ten times a second. */
  show(bars: readonly Bar[]): void {
    const isFirst = this.#drawn === null
    const drawn = this.#drawn ?? this.#start()
    while (this.#elements.length > bars.length) drawn.remove(this.#elements.pop()!)
    while (this.#elements.length < bars.length) this.#elements.push(drawn.create(1, 0))
    for (const [index, bar] of bars.entries()) {
      this.#elements[index]!.setTotal(bar.total)
      this.#elements[index]!.update(bar.done, bar)
    }
    if (isFirst) drawn.update()
  }

  /** Draws immediately. Without this, the last state of a bar could be replaced before it was ever drawn. */
  draw(): void {
    this.#drawn?.update()
  }

  /** Erases the bars and shows the cursor again. */
  readonly stop = (): void => {
    process.off('exit', this.stop)
    setFoot(null)
    this.#drawn?.stop()
    this.#drawn = null
    this.#elements.length = 0
  }

  #start(): MultiBar {
    const drawn = new cliProgress.MultiBar(
      {
        stream: process.stderr,
        format: formatBar,
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
        emptyOnZero: true,
        forceRedraw: true,
        // Lines above the bars must wrap; formatBar cuts the bars themselves to the terminal's width.
        linewrap: true,
      },
      cliProgress.Presets.shades_classic,
    )
    // At this event, the cursor is at the start of the first bar.
    drawn.on('redraw-pre', () => {
      if (this.#above.length > 0) process.stderr.write('\x1b[J')
      for (const write of this.#above.splice(0)) write()
    })
    this.#drawn = drawn
    setFoot({
      writeAbove: (write) => {
        this.#above.push(write)
        drawn.update()
      },
    })
    process.on('exit', this.stop)
    return drawn
  }
}

function formatBar(
  options: Options,
  { progress, maxWidth }: Params,
  { cells, text, indent = 0 }: Bar,
): string {
  const barsize = maxWidth < 80 ? Math.round(cells / 3) : cells
  const line = `${cliProgress.Format.BarFormat(progress, { ...options, barsize })} ${escapeLine(text)}`
  return ' '.repeat(indent) + truncate(line, maxWidth - indent - echoCells, 1)
}

/** Returns the time left for work at the pace since `began`: "1:20 left", or "… left" if nothing is done yet. */
export function timeLeft(done: number, left: number, began: number): string {
  const pace = done / (performance.now() - began)
  return `${pace > 0 ? clock(left / pace / 1000) : '…'} left`
}
