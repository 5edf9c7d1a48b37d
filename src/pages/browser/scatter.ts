import { reach } from '../explore/explore-format.js'
import type { LatentPoint, Network } from './explored-network.js'
import { find, ink, type Pictures, showPreview } from './pictures.js'

// The smallest extent of an axis, as a share of the first direction's. It keeps the rounding errors of a dead direction from
// being enlarged to fill the plot.
const leastShare = 0.05
const hitRadius = 24

const arrows: Readonly<Record<string, Position>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

export interface ScatterParts {
  readonly section: HTMLElement
  readonly network: Network
  readonly pictures: Pictures
  readonly point: LatentPoint
  readonly onChoose: (image: number) => void
}

/** A position on a canvas, in pixels from its upper left corner. */
interface Position {
  readonly x: number
  readonly y: number
}

/** The values along an axis, and its ends. */
interface PlotAxis {
  /** One for each image. */
  readonly values: readonly number[]
  /** The value of the point that the sliders set. */
  readonly here: number
  readonly low: number
  readonly high: number
}

/** The embedding along two directions. Each image is drawn as its label and can be chosen by pointer or keyboard. */
export class Scatter {
  readonly #parts: ScatterParts
  readonly #labels: readonly number[]
  readonly #box: HTMLElement
  readonly #points: HTMLCanvasElement
  readonly #marks: HTMLCanvasElement
  /** The choices of the horizontal and the vertical axis; null if there is one direction, and labels are vertical. */
  readonly #choices: readonly (HTMLSelectElement | null)[]
  #positions: readonly Position[] = []
  #chosen = 0
  /** The image that the arrow keys have reached. */
  #cursor = 0

  constructor(parts: ScatterParts) {
    const { section, pictures, onChoose } = parts
    this.#parts = parts
    this.#labels = pictures.labels
    this.#box = find('.scatter', section)
    this.#points = find('.points', section)
    this.#marks = find('.marks', section)
    this.#choices = ['.across', '.up'].map((name) => section.querySelector(`select${name}`))
    for (const choice of this.#choices) choice?.addEventListener('change', () => this.draw())
    const box = this.#box
    new ResizeObserver(() => this.draw()).observe(box)
    box.addEventListener('click', (event) => {
      const image = this.#imageUnder(event)
      if (image !== null) onChoose(image)
    })
    box.addEventListener('pointermove', (event) =>
      showPreview(pictures, event.pointerType === 'mouse' ? this.#imageUnder(event) : null, event),
    )
    box.addEventListener('pointerleave', (event) => showPreview(pictures, null, event))
    box.addEventListener('focus', () => this.drawMarks())
    box.addEventListener('blur', () => this.drawMarks())
    box.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !this.#handleKey(event.key)) return
      event.preventDefault()
      this.#describeCursor()
      this.drawMarks()
    })
  }

  choose(image: number): void {
    this.#chosen = image
    this.#cursor = image
    this.#describeCursor()
    this.drawMarks()
  }

  draw(): void {
    const [across, up] = [this.#axis(0), this.#axis(1)]
    this.#positions = this.#labels.map((_, image) =>
      this.#position(across, across.values[image]!, up, up.values[image]!),
    )
    const context = sharpContext(this.#points)
    const { width } = this.#points.getBoundingClientRect()
    context.font = `${width < 420 ? 9 : 11}px system-ui, sans-serif`
    context.textAlign = 'center'
    context.textBaseline = 'middle'
    context.globalAlpha = 0.85
    const inks = new Map([...new Set(this.#labels)].map((label) => [label, ink(`label-${label}`)]))
    for (const [image, { x, y }] of this.#positions.entries()) {
      const label = this.#labels[image]!
      context.fillStyle = inks.get(label)!
      context.fillText(String(label), x, y)
    }
    this.drawMarks()
  }

  drawMarks(): void {
    const context = sharpContext(this.#marks)
    const chosen = this.#positions[this.#chosen]
    if (chosen === undefined) return
    ring(context, chosen, ink('text'), [])
    const focused = document.activeElement === this.#box && this.#cursor !== this.#chosen
    if (focused) ring(context, this.#positions[this.#cursor]!, ink('text'), [4, 3])
    const [across, up] = [this.#axis(0), this.#axis(1)]
    const here = this.#position(across, across.here, up, up.here)
    cross(context, here, ink('page'), 7)
    cross(context, here, ink('arm', this.#parts.section), 3.5)
  }

  /** Handles a key. Returns whether the plot uses it. */
  #handleKey(key: string): boolean {
    const direction = arrows[key]
    if (direction !== undefined) this.#cursor = neighbour(this.#positions, this.#cursor, direction)
    else if (key === 'Enter' || key === ' ') this.#parts.onChoose(this.#cursor)
    else if (key === 'Escape') this.#cursor = this.#chosen
    else return false
    return true
  }

  #describeCursor(): void {
    const name = `image ${this.#cursor}, label ${this.#labels[this.#cursor]}`
    find('.point', this.#parts.section).textContent =
      this.#cursor === this.#chosen ? `Chosen: ${name}` : `${name}: press Enter to choose it`
  }

  /** Returns the image whose label is near the pointer, null if there is none. */
  #imageUnder(event: MouseEvent): number | null {
    const { left, top } = this.#marks.getBoundingClientRect()
    const [x, y] = [event.clientX - left, event.clientY - top]
    const distances = this.#positions.map((position) => Math.hypot(position.x - x, position.y - y))
    const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    return least <= hitRadius ? distances.indexOf(least) : null
  }

  /** Returns the horizontal axis (0) or the vertical one (1), with a small margin around its values. */
  #axis(index: number): PlotAxis {
    const { point, network } = this.#parts
    const { directions, coordinates } = network
    const choice = this.#choices[index]
    // A row for each label.
    if (!choice) {
      const [low, high] = [Math.min(...this.#labels) - 0.7, Math.max(...this.#labels) + 0.7]
      return { values: this.#labels, here: this.#labels[this.#chosen]!, low, high }
    }
    const direction = Number(choice.value)
    const values = this.#labels.map((_, image) => coordinates[image * directions.length + direction]!)
    const extent = Math.max(directions[direction]!.deviation, leastShare * directions[0]!.deviation)
    const least = reach * extent || 1
    const [low, high] = [Math.min(-least, ...values), Math.max(least, ...values)]
    const room = 0.04 * (high - low)
    return { values, here: point.coordinate(direction), low: low - room, high: high + room }
  }

  #position(across: PlotAxis, x: number, up: PlotAxis, y: number): Position {
    const { clientWidth, clientHeight } = this.#box
    const share = ({ low, high }: PlotAxis, value: number) => (value - low) / (high - low)
    return { x: share(across, x) * clientWidth, y: (1 - share(up, y)) * clientHeight }
  }
}

/** Empties a canvas, gives it the screen's resolution, and returns a context in CSS pixels. */
function sharpContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const { width, height } = canvas.getBoundingClientRect()
  canvas.width = Math.round(width * devicePixelRatio)
  canvas.height = Math.round(height * devicePixelRatio)
  const context = canvas.getContext('2d')!
  context.scale(devicePixelRatio, devicePixelRatio)
  return context
}

function ring(context: CanvasRenderingContext2D, { x, y }: Position, color: string, dash: number[]): void {
  context.setLineDash(dash)
  context.strokeStyle = color
  context.lineWidth = 2
  context.beginPath()
  context.arc(x, y, 9, 0, 2 * Math.PI)
  context.stroke()
  context.setLineDash([])
}

function cross(context: CanvasRenderingContext2D, { x, y }: Position, color: string, width: number): void {
  context.strokeStyle = color
  context.lineWidth = width
  context.lineCap = 'round'
  context.stroke(new Path2D(`M${x - 9} ${y}h18M${x} ${y - 9}v18`))
}

/** Returns the nearest position in a direction, at most 45° off it; `from` if there is none. */
function neighbour(positions: readonly Position[], from: number, direction: Position): number {
  const start = positions[from]!
  let [best, least] = [from, Number.POSITIVE_INFINITY]
  for (const [index, { x, y }] of positions.entries()) {
    const [dx, dy] = [x - start.x, y - start.y]
    const along = dx * direction.x + dy * direction.y
    const across = Math.abs(dx * direction.y - dy * direction.x)
    const length = Math.hypot(dx, dy)
    if (along > 0 && along >= across && length < least) [best, least] = [index, length]
  }
  return best
}
