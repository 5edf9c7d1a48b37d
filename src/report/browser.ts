/**
 * The report's script: it draws the charts, anew when the page's width or the colour scheme changes, shows values where
 * the pointer is, and hides an arm when its name is clicked. It is put into the page as it is compiled, and so imports
 * nothing at run time. Everything that comes from runs is data to it: text of elements, values of signals.
 */
import type { Chart } from '../plots/chart.js'

/** What the page holds as JSON in the element "report-data". */
export interface PageData {
  readonly charts: readonly Chart[]
  readonly labels: readonly string[]
  readonly themes: Readonly<Record<'light' | 'dark', object>>
  readonly rowMargin: number
}

// The few of a browser's things that are used here: the types of all of them would reach into the whole project.
interface PageElement {
  textContent: string | null
  readonly clientWidth: number
  readonly dataset: Record<string, string | undefined>
  readonly style: Record<string, string>
  append(...children: readonly (PageElement | string)[]): void
  replaceChildren(): void
  setAttribute(name: string, value: string): void
  addEventListener(event: string, listener: () => void): void
  toggleAttribute(name: string, on: boolean): void
}

interface Page {
  readonly body: PageElement
  getElementById(id: string): PageElement | null
  querySelectorAll(selector: string): Iterable<PageElement>
  createElement(name: string): PageElement
}

interface Pointer {
  readonly clientX: number
  readonly clientY: number
}

interface VegaView {
  signal(name: string, value: unknown): VegaView
  tooltip(handler: (handler: unknown, event: Pointer | null, item: unknown, value: unknown) => void): VegaView
  runAsync(): Promise<unknown>
  finalize(): void
}

interface Browser {
  readonly document: Page
  readonly innerWidth: number
  readonly vega: {
    readonly View: new (runtime: unknown, options: object) => VegaView
    parse(spec: unknown): unknown
  }
  readonly vegaLite: { compile(spec: unknown): { readonly spec: unknown } }
  matchMedia(query: string): { readonly matches: boolean; addEventListener(e: string, f: () => void): void }
  addEventListener(event: string, listener: () => void): void
}

const browser = globalThis as unknown as Browser
const { document } = browser
const data = JSON.parse(document.getElementById('report-data')!.textContent!) as PageData
const darkScheme = browser.matchMedia('(prefers-color-scheme: dark)')
const tooltip = document.getElementById('tooltip')!
const hidden = new Set<string>()
let views: readonly VegaView[] = []

/** As many panels side by side as fit, each as wide as they then may be. */
function fitted({ spec, panels }: Chart, width: number): object {
  const { count, height, columns: most, margin } = panels
  const single = !('facet' in spec)
  const columns = single
    ? 1
    : Math.max(1, Math.min(count, most, Math.floor(width / (Math.min(panels.width, 200) + margin))))
  const panelWidth = Math.max(110, Math.min(panels.width * 1.4, Math.floor((width - 24) / columns) - margin))
  const size = { width: panelWidth, height }
  const spacing = { row: data.rowMargin, column: margin }
  const placed = single
    ? size
    : { columns, spec: { ...(spec.spec as object), ...size }, bounds: 'flush', spacing }
  return {
    ...spec,
    ...placed,
    params: [{ name: 'hidden', value: [...hidden] }],
    transform: [{ filter: 'indexof(hidden, datum.arm) < 0' }],
  }
}

function draw(chart: Chart): VegaView {
  const element = document.getElementById(`chart-${chart.name}`)!
  element.replaceChildren()
  const config = data.themes[darkScheme.matches ? 'dark' : 'light']
  const { spec } = browser.vegaLite.compile({ ...fitted(chart, element.clientWidth), config })
  const view = new browser.vega.View(browser.vega.parse(spec), {
    container: element,
    hover: true,
    renderer: 'svg',
  })
  view.tooltip((_, event, __, value) => showTooltip(event, value))
  void view.runAsync()
  return view
}

function drawAll(): void {
  for (const view of views) view.finalize()
  views = data.charts.map(draw)
}

/** Vega gives the tooltip's fields as an object, and no event or null where the pointer leaves. */
function showTooltip(pointer: Pointer | null, value: unknown): void {
  tooltip.replaceChildren()
  const fields = value !== null && typeof value === 'object' ? Object.entries(value) : []
  tooltip.toggleAttribute('hidden', pointer === null || fields.length === 0)
  for (const [name, text] of fields) {
    const line = document.createElement('div')
    const head = document.createElement('b')
    head.textContent = name
    line.append(head, ` ${String(text)}`)
    tooltip.append(line)
  }
  if (pointer === null) return
  const right = browser.innerWidth - tooltip.clientWidth - 12
  tooltip.style.left = `${Math.max(4, Math.min(pointer.clientX + 14, right))}px`
  tooltip.style.top = `${pointer.clientY + 14}px`
}

function toggle(button: PageElement): void {
  const label = data.labels[Number(button.dataset.arm)]!
  if (!hidden.delete(label)) hidden.add(label)
  button.setAttribute('aria-pressed', String(!hidden.has(label)))
  for (const view of views) void view.signal('hidden', [...hidden]).runAsync()
  for (const row of document.querySelectorAll(`tr[data-arm="${button.dataset.arm}"]`)) {
    row.toggleAttribute('hidden', hidden.has(label))
  }
}

for (const button of document.querySelectorAll('button[data-arm]')) {
  button.addEventListener('click', () => toggle(button))
}
let width = browser.innerWidth
browser.addEventListener('resize', () => {
  if (browser.innerWidth === width) return
  width = browser.innerWidth
  drawAll()
})
darkScheme.addEventListener('change', drawAll)
drawAll()
document.body.dataset.ready = 'true'
