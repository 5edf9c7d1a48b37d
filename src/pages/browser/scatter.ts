import { reach } from '../explore/data.js'
import type { LatentPoint, Network } from './network.js'
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

/** The range of values along an axis. */
interface Scale {
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
  readonly #axes: readonly (HTMLSelectElement | null)[]
  #scales: readonly [Scale, Scale] = [scaleOf([], 1), scaleOf([], 1)]
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
    this.#axes = ['.across', '.up'].map((name) => section.querySelector<HTMLSelectElement>(`select${name}`))
    for (const axis of this.#axes) axis?.addEventListener('change', () => this.draw())
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
    this.#scales = [this.#scaleAlong(0), this.#scaleAlong(1)]
    this.#positions = this.#labels.map((_, image) => this.#positionOf((axis) => this.#value(axis, image)))
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
    const { point, section } = this.#parts
    const here = this.#positionOf((axis) => {
      const direction = this.#direction(axis)
      return direction === null ? this.#labels[this.#chosen]! : point.coordinate(direction)
    })
    cross(context, here, ink('page'), 7)
    cross(context, here, ink('arm', section), 3.5)
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

  #imageUnder(event: MouseEvent): number | null {
    const { left, top } = this.#marks.getBoundingClientRect()
    return nearest(this.#positions, { x: event.clientX - left, y: event.clientY - top }, hitRadius)
  }

  /** Returns the direction that an axis shows (0 is across, 1 is up), null if it shows the labels. */
  #direction(axis: number): number | null {
    const select = this.#axes[axis]
    return select ? Number(select.value) : null
  }

  #value(axis: number, image: number): number {
    const { directions, coordinates } = this.#parts.network
    const direction = this.#direction(axis)
    return direction === null ? this.#labels[image]! : coordinates[image * directions.length + direction]!
  }

  #scaleAlong(axis: number): Scale {
    const { directions } = this.#parts.network
    const values = this.#labels.map((_, image) => this.#value(axis, image))
    const direction = this.#direction(axis)
    // A row for each label.
    if (direction === null) return { low: Math.min(...values) - 0.7, high: Math.max(...values) + 0.7 }
    const extent = Math.max(directions[direction]!.deviation, leastShare * directions[0]!.deviation)
    return scaleOf(values, reach * extent || 1)
  }

  #positionOf(value: (axis: number) => number): Position {
    const { clientWidth, clientHeight } = this.#box
    return {
      x: toPixels(this.#scales[0], value(0), clientWidth),
      y: clientHeight - toPixels(this.#scales[1], value(1), clientHeight),
    }
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

/** Returns a scale with a small margin that holds all values and at least ±`least`. */
function scaleOf(values: readonly number[], least: number): Scale {
  const low = values.reduce((a, b) => Math.min(a, b), -least)
  const high = values.reduce((a, b) => Math.max(a, b), least)
  const room = 0.04 * (high - low || 1)
  return { low: low - room, high: high + room }
}

function toPixels({ low, high }: Scale, value: number, length: number): number {
  return ((value - low) / (high - low)) * length
}

/** Returns the index of the nearest position; null if none is within the given distance. */
function nearest(positions: readonly Position[], { x, y }: Position, within: number): number | null {
  const distances = positions.map((position) => Math.hypot(position.x - x, position.y - y))
  const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  return least <= within ? distances.indexOf(least) : null
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
