/**
 * Draws charts with Vega. Text from runs is only ever used as the text of elements or the values of signals, never as
 * markup or code.
 */
import type * as Vega from 'vega'
import type * as VegaLite from 'vega-lite'
import { applyLayout, armField, type Chart, fileSpec, type Spec } from '../../plots/chart.js'
import type { ReportData } from '../report/report-format.js'

// Earlier scripts of the page define these.
declare const vega: typeof Vega
declare const vegaLite: typeof VegaLite

const darkScheme = matchMedia('(prefers-color-scheme: dark)')
const tooltip = document.getElementById('tooltip')!

// More marks than this are slow as elements of an SVG, above all on a page that draws them again and again.
const mostElements = { once: 3000, repeatedly: 1000 }

export interface ChartsOptions {
  /** Whether charts are drawn only when they come into view, for a page that changes. */
  readonly lazy: boolean
  /** Ends all reactions to the page. */
  readonly signal?: AbortSignal
  readonly hidden?: Iterable<string>
}

// A chart is drawn before it comes into view.
const viewMargin = 400

/** The charts of a page, which it draws again if its width, the colour scheme or the data changes. */
export class Charts {
  /** The labels of the arms that the charts do not show. */
  readonly hidden: Set<string>
  readonly #lazy: boolean
  readonly #signal: AbortSignal | undefined
  /** The names of charts that are not drawn as they are now. */
  readonly #stale = new Set<string>()
  readonly #views = new Map<string, Vega.View>()
  readonly #charts = new Map<string, Chart>()
  /** The charts as JSON, by which changes are found. */
  readonly #texts = new Map<string, string>()
  #themes: ReportData['themes']
  #redraw: Promise<void> = Promise.resolve()

  constructor(themes: ReportData['themes'], { lazy, signal, hidden = [] }: ChartsOptions) {
    this.#themes = themes
    this.#lazy = lazy
    this.#signal = signal
    this.hidden = new Set(hidden)
    let width = innerWidth
    const resize = () => {
      if (innerWidth === width) return
      width = innerWidth
      this.#drawAgain()
    }
    addEventListener('resize', resize, { signal })
    darkScheme.addEventListener('change', () => this.#drawAgain(), { signal })
    // A chart in a closed part of the page has no width. The event does not bubble.
    document.addEventListener('toggle', () => void this.drawStale(), { capture: true, signal })
    if (!lazy) return
    addEventListener('scroll', () => void this.drawStale(), { passive: true, signal })
    document.addEventListener('visibilitychange', () => void this.drawStale(), { signal })
    signal?.addEventListener('abort', () => {
      for (const view of this.#views.values()) view.finalize()
    })
  }

  /** Replaces a chart, which is drawn later. The page has an element for its name. */
  set(chart: Chart): void {
    const text = JSON.stringify(chart)
    if (this.#texts.get(chart.name) === text) return
    this.#texts.set(chart.name, text)
    this.#charts.set(chart.name, chart)
    this.#stale.add(chart.name)
  }

  #drawAgain(): void {
    for (const name of this.#charts.keys()) this.#stale.add(name)
    void this.drawStale()
  }

  /** Draws the charts that have changed, one after another. */
  drawStale(): Promise<void> {
    this.#redraw = this.#redraw.then(async () => {
      for (const name of [...this.#stale]) if (this.#isWanted(name)) await this.#draw(name)
    })
    return this.#redraw
  }

  #isWanted(name: string): boolean {
    const element = document.getElementById(`chart-${name}`)
    if (element === null || this.#signal?.aborted) return false
    if (element.closest('details:not([open])') !== null) return false
    if (!this.#lazy) return true
    const { top, bottom } = element.getBoundingClientRect()
    return !document.hidden && bottom > -viewMargin && top < innerHeight + viewMargin
  }

  /** Draws a chart in steps, between which the page answers. The earlier drawing stays until the last step. */
  async #draw(name: string): Promise<void> {
    this.#stale.delete(name)
    const chart = this.#charts.get(name)
    const element = document.getElementById(`chart-${name}`)
    if (chart === undefined || element === null) return
    const config = this.#themes[darkScheme.matches ? 'dark' : 'light']
    const { spec } = vegaLite.compile(this.#withHiding({ ...fitToWidth(chart, element.clientWidth), config }))
    await nextTask()
    const dataflow = vega.parse(spec)
    await nextTask()
    // Another report may have replaced the element meanwhile.
    if (this.#signal?.aborted) return
    this.#views.get(name)?.finalize()
    // Its height stays while it is redrawn, so that the page does not jump.
    element.style.minHeight = `${element.offsetHeight}px`
    element.replaceChildren()
    const view = new vega.View(dataflow, {
      container: element,
      hover: true,
      renderer: marksOf(chart) > mostElements[this.#lazy ? 'repeatedly' : 'once'] ? 'canvas' : 'svg',
    })
    view.tooltip((_, event, __, value) => showTooltip(event, value))
    view.signal('hidden', [...this.hidden])
    this.#views.set(name, view)
    await view.runAsync()
    element.style.removeProperty('min-height')
    await nextTask()
  }

  /** Shows or hides an arm in all charts; returns whether it is shown now. */
  toggle(label: string): boolean {
    if (!this.hidden.delete(label)) this.hidden.add(label)
    for (const view of this.#views.values()) void view.signal('hidden', [...this.hidden]).runAsync()
    return !this.hidden.has(label)
  }

  /** Downloads a chart as it is in the files: on white and with its title. */
  async download(name: string, format: 'svg' | 'png'): Promise<void> {
    const chart = this.#charts.get(name)
    if (chart === undefined) return
    const whole = this.#withHiding({ ...fileSpec(chart), config: this.#themes.light })
    const view = new vega.View(vega.parse(vegaLite.compile(whole).spec), { renderer: 'none' })
    try {
      const address =
        format === 'png'
          ? await view.toImageURL('png', 2)
          : URL.createObjectURL(new Blob([await view.toSVG()], { type: 'image/svg+xml' }))
      saveAs(`${name}.${format}`, address)
    } finally {
      view.finalize()
    }
  }

  #withHiding(spec: Spec): VegaLite.TopLevelSpec {
    const hiding = {
      params: [{ name: 'hidden', value: [...this.hidden] }],
      transform: [{ filter: `indexof(hidden, datum.${armField}) < 0` }],
    }
    return { ...spec, ...hiding } as unknown as VegaLite.TopLevelSpec
  }
}

function marksOf({ spec }: Chart): number {
  const { values } = (spec.data ?? {}) as { readonly values?: readonly unknown[] }
  return values?.length ?? 0
}

/** Resolves after the browser has had the time to react and to paint. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

/** Returns the chart with as many panels side by side as fit into the width. */
function fitToWidth(chart: Chart, width: number): Spec {
  const { panels } = chart
  const fitting = Math.floor(width / (Math.min(panels.width, 200) + panels.margin))
  const rows = Math.ceil(panels.count / Math.max(1, fitting))
  // Rows of about the same length: four panels are two rows of two rather than three and one.
  const columns = Math.ceil(panels.count / rows)
  const widest = Math.floor((width - 24) / columns) - panels.margin
  const panelWidth = Math.max(panels.narrowest ?? 110, Math.min(panels.width * 1.6, widest))
  return applyLayout({ ...chart, panels: { ...panels, columns, width: panelWidth } })
}

/** Vega passes the tooltip's fields as an object. When the pointer leaves a mark, the event or the object is null. */
function showTooltip(pointer: MouseEvent | null, value: unknown): void {
  tooltip.replaceChildren()
  const fields = value !== null && typeof value === 'object' ? Object.entries(value) : []
  tooltip.toggleAttribute('hidden', pointer === null || fields.length === 0)
  for (const [name, text] of fields) {
    const line = document.createElement('div')
    line.append(Object.assign(document.createElement('b'), { textContent: name }), ` ${String(text)}`)
    tooltip.append(line)
  }
  if (pointer === null) return
  const right = innerWidth - tooltip.clientWidth - 12
  tooltip.style.left = `${Math.max(4, Math.min(pointer.clientX + 14, right))}px`
  tooltip.style.top = `${pointer.clientY + 14}px`
}

/** Saves the content of an address of this page under a name. */
export function saveAs(name: string, address: string): void {
  Object.assign(document.createElement('a'), { download: name, href: address }).click()
  // The browser reads a blob when the download starts, which is after this call.
  if (address.startsWith('blob:')) setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
