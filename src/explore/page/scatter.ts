import { reach } from '../page-data.js'
import { find, ink } from './elements.js'
import type { LatentPoint } from './latent-point.js'
import type { Network } from './network.js'
import { nearest, neighbour, type Place, type Scale, scaled, scaleOf } from './point-cloud.js'
import type { Preview } from './preview.js'

// A direction that is dead, or nearly, is drawn as the line it is, not as its rounding errors.
const leastShare = 0.05
const hitRadius = 24

const arrows: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

export interface ScatterParts {
  readonly section: Element
  readonly network: Network
  readonly labels: readonly number[]
  readonly point: LatentPoint
  readonly preview: Preview
  readonly onChoose: (image: number) => void
}

/** The embedding along two directions, each image as its label, to be picked by pointer or keys. */
export class Scatter {
  readonly #parts: ScatterParts
  readonly #box: HTMLElement
  readonly #points: HTMLCanvasElement
  readonly #marks: HTMLCanvasElement
  readonly #message: HTMLElement
  readonly #axes: readonly (HTMLSelectElement | null)[]
  #scales: readonly [Scale, Scale] = [scaleOf([], 1), scaleOf([], 1)]
  #places: readonly Place[] = []
  #chosen = 0
  /** Where the arrow keys have gone. */
  #cursor = 0

  constructor(parts: ScatterParts) {
    const { section } = parts
    this.#parts = parts
    this.#box = find(section, '.scatter', HTMLElement)
    this.#points = find(section, '.points', HTMLCanvasElement)
    this.#marks = find(section, '.marks', HTMLCanvasElement)
    this.#message = find(section, '.point', HTMLElement)
    this.#axes = ['.across', '.up'].map((name) => section.querySelector<HTMLSelectElement>(`select${name}`))
    for (const axis of this.#axes) axis?.addEventListener('change', () => this.draw())
    new ResizeObserver(() => this.draw()).observe(this.#box)
    this.#listen()
  }

  choose(image: number): void {
    this.#chosen = image
    this.#cursor = image
    this.#tell()
    this.drawMarks()
  }

  draw(): void {
    this.#scales = [this.#scaleAlong(0), this.#scaleAlong(1)]
    this.#places = this.#parts.labels.map((_, image) => this.#placeOf((axis) => this.#value(axis, image)))
    const context = sharpContext(this.#points)
    const { width } = this.#points.getBoundingClientRect()
    context.font = `${width < 420 ? 9 : 11}px system-ui, sans-serif`
    context.textAlign = 'center'
    context.textBaseline = 'middle'
    context.globalAlpha = 0.85
    const inks = new Map(this.#parts.labels.map((label) => [label, '']))
    for (const label of inks.keys()) inks.set(label, ink(`label-${label}`))
    for (const [image, { x, y }] of this.#places.entries()) {
      const label = this.#parts.labels[image]!
      context.fillStyle = inks.get(label)!
      context.fillText(String(label), x, y)
    }
    this.drawMarks()
  }

  drawMarks(): void {
    const context = sharpContext(this.#marks)
    const chosen = this.#places[this.#chosen]
    if (chosen === undefined) return
    ring(context, chosen, ink('text'), [])
    const focused = document.activeElement === this.#box && this.#cursor !== this.#chosen
    if (focused) ring(context, this.#places[this.#cursor]!, ink('text'), [4, 3])
    const { point, section, labels } = this.#parts
    const here = this.#placeOf((axis) => {
      const direction = this.#direction(axis)
      return direction === null ? labels[this.#chosen]! : point.coordinate(direction)
    })
    cross(context, here, ink('page'), 7)
    cross(context, here, ink('arm', section), 3.5)
  }

  #listen(): void {
    const { preview, labels, onChoose } = this.#parts
    const box = this.#box
    box.addEventListener('click', (event) => {
      const image = this.#under(event)
      if (image !== null) onChoose(image)
    })
    box.addEventListener('pointermove', (event) => {
      const image = event.pointerType === 'mouse' ? this.#under(event) : null
      preview.show(image, image === null ? 0 : labels[image]!, event)
    })
    box.addEventListener('pointerleave', () => preview.hide())
    box.addEventListener('focus', () => this.drawMarks())
    box.addEventListener('blur', () => this.drawMarks())
    box.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !this.#takes(event.key)) return
      event.preventDefault()
      this.#tell()
      this.drawMarks()
    })
  }

  /** Whether the key is one of this plot's. */
  #takes(key: string): boolean {
    const direction = arrows[key]
    if (direction !== undefined) this.#cursor = neighbour(this.#places, this.#cursor, direction)
    else if (key === 'Enter' || key === ' ') this.#parts.onChoose(this.#cursor)
    else if (key === 'Escape') this.#cursor = this.#chosen
    else return false
    return true
  }

  #tell(): void {
    const { labels } = this.#parts
    const name = `image ${this.#cursor}, label ${labels[this.#cursor]}`
    this.#message.textContent =
      this.#cursor === this.#chosen ? `Chosen: ${name}` : `${name}: press Enter to choose it`
  }

  #under(event: MouseEvent): number | null {
    const { left, top } = this.#marks.getBoundingClientRect()
    return nearest(this.#places, { x: event.clientX - left, y: event.clientY - top }, hitRadius)
  }

  /** Of an axis, 0 across and 1 up; null where there is one direction and labels go up. */
  #direction(axis: number): number | null {
    const select = this.#axes[axis]
    return select ? Number(select.value) : null
  }

  #value(axis: number, image: number): number {
    const { network, labels } = this.#parts
    const direction = this.#direction(axis)
    return direction === null
      ? labels[image]!
      : network.coordinates[image * network.directions.length + direction]!
  }

  #scaleAlong(axis: number): Scale {
    const { labels, network } = this.#parts
    const direction = this.#direction(axis)
    if (direction === null) return besideEach(labels)
    const values = labels.map((_, image) => this.#value(axis, image))
    const first = network.directions[0]!.deviation
    return scaleOf(
      values,
      reach * Math.max(network.directions[direction]!.deviation, leastShare * first) || 1,
    )
  }

  #placeOf(value: (axis: number) => number): Place {
    const { clientWidth, clientHeight } = this.#box
    return {
      x: scaled(this.#scales[0], value(0), clientWidth),
      y: clientHeight - scaled(this.#scales[1], value(1), clientHeight),
    }
  }
}

/** Room for a row of images a label. */
function besideEach(labels: readonly number[]): Scale {
  const [lowest, highest] = labels.reduce(
    ([low, high], label) => [Math.min(low, label), Math.max(high, label)],
    [255, 0],
  )
  return { low: lowest - 0.7, high: highest + 0.7 }
}

/** An empty canvas with as many pixels as the screen has there, to draw on in the page's units. */
function sharpContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const { width, height } = canvas.getBoundingClientRect()
  canvas.width = Math.round(width * devicePixelRatio)
  canvas.height = Math.round(height * devicePixelRatio)
  const context = canvas.getContext('2d')!
  context.scale(devicePixelRatio, devicePixelRatio)
  return context
}

function ring(context: CanvasRenderingContext2D, { x, y }: Place, color: string, dash: number[]): void {
  context.setLineDash(dash)
  context.strokeStyle = color
  context.lineWidth = 2
  context.beginPath()
  context.arc(x, y, 9, 0, 2 * Math.PI)
  context.stroke()
  context.setLineDash([])
}

function cross(context: CanvasRenderingContext2D, { x, y }: Place, color: string, width: number): void {
  context.strokeStyle = color
  context.lineWidth = width
  context.lineCap = 'round'
  context.beginPath()
  context.moveTo(x - 9, y)
  context.lineTo(x + 9, y)
  context.moveTo(x, y - 9)
  context.lineTo(x, y + 9)
  context.stroke()
}
