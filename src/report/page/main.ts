/**
 * The report's script. It draws the charts, redraws them when the page's width or the colour scheme changes, shows the
 * values under the pointer, and hides an arm when its name is clicked. Text from runs is only ever used as the text of
 * elements or the values of signals, never as markup or code.
 */
import type * as Vega from 'vega'
import type * as VegaLite from 'vega-lite'
import { applyLayout, armField, type Chart } from '../../plots/chart.js'
import type { ReportData } from '../report-data.js'

// Earlier scripts of the page define these.
declare const vega: typeof Vega
declare const vegaLite: typeof VegaLite

const data = JSON.parse(document.getElementById('report-data')!.textContent!) as ReportData
const darkScheme = matchMedia('(prefers-color-scheme: dark)')
const tooltip = document.getElementById('tooltip')!
const hidden = new Set<string>()
let views: readonly Vega.View[] = []

/** Returns the chart with as many panels side by side as fit into the width. */
function fitToWidth(chart: Chart, width: number): VegaLite.TopLevelSpec {
  const { panels } = chart
  const fitting = Math.floor(width / (Math.min(panels.width, 200) + panels.margin))
  const columns = Math.max(1, Math.min(panels.count, panels.columns, fitting))
  const widest = Math.floor((width - 24) / columns) - panels.margin
  const panelWidth = Math.max(110, Math.min(panels.width * 1.4, widest))
  const spec = applyLayout({ ...chart, panels: { ...panels, columns, width: panelWidth } })
  const hiding = {
    params: [{ name: 'hidden', value: [...hidden] }],
    transform: [{ filter: `indexof(hidden, datum.${armField}) < 0` }],
  }
  return { ...spec, ...hiding } as unknown as VegaLite.TopLevelSpec
}

function draw(chart: Chart): Vega.View {
  const element = document.getElementById(`chart-${chart.name}`)!
  element.replaceChildren()
  const config = data.themes[darkScheme.matches ? 'dark' : 'light']
  const { spec } = vegaLite.compile({ ...fitToWidth(chart, element.clientWidth), config })
  const view = new vega.View(vega.parse(spec), {
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

/** Vega passes the tooltip's fields as an object. When the pointer leaves a mark, the event or the object is null. */
function showTooltip(pointer: MouseEvent | null, value: unknown): void {
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
  const right = innerWidth - tooltip.clientWidth - 12
  tooltip.style.left = `${Math.max(4, Math.min(pointer.clientX + 14, right))}px`
  tooltip.style.top = `${pointer.clientY + 14}px`
}

function toggle(button: HTMLElement): void {
  const label = data.labels[Number(button.dataset.arm)]!
  if (!hidden.delete(label)) hidden.add(label)
  button.setAttribute('aria-pressed', String(!hidden.has(label)))
  for (const view of views) void view.signal('hidden', [...hidden]).runAsync()
  for (const row of document.querySelectorAll(`tr[data-arm="${button.dataset.arm}"]`)) {
    row.toggleAttribute('hidden', hidden.has(label))
  }
}

for (const button of document.querySelectorAll<HTMLElement>('button[data-arm]')) {
  button.addEventListener('click', () => toggle(button))
}
let width = innerWidth
addEventListener('resize', () => {
  if (innerWidth === width) return
  width = innerWidth
  drawAll()
})
darkScheme.addEventListener('change', drawAll)
drawAll()
document.body.dataset.ready = 'true'
