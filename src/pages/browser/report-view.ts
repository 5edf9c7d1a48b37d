import { escapeControls } from '../../text/format.js'
import type { ReportData } from '../report/report-format.js'
import { AxesChart } from './axes.js'
import { Charts, type ChartsOptions, nextTask, saveAs } from './charts.js'
import { DataTable } from './data-table.js'

/** Makes the sections of a report work: its tables, charts, legend and downloads. */
export class Report {
  readonly #charts: Charts
  readonly #axes: AxesChart
  readonly #tables = new Map<string, DataTable>()
  readonly #metric = new DataTable(document.getElementById('table-metric')!)
  readonly #chosenMetric = document.getElementById('metric') as HTMLSelectElement
  #data: ReportData

  constructor(data: ReportData, options: ChartsOptions) {
    this.#data = data
    this.#charts = new Charts(data.themes, options)
    this.#axes = new AxesChart(this.#charts)
    this.#chosenMetric.addEventListener('change', () => this.#showMetric())
    const onClick = ({ target }: MouseEvent) => this.#onClick(target as Element)
    document.addEventListener('click', onClick, { signal: options.signal })
    for (const button of document.querySelectorAll<HTMLElement>('button[data-arm]'))
      button.setAttribute('aria-pressed', String(!this.hidden.has(data.labels[Number(button.dataset.arm)]!)))
  }

  /** The labels of the arms that the charts do not show. */
  get hidden(): ReadonlySet<string> {
    return this.#charts.hidden
  }

  /** Fills the choices at once, then shows the data. Resolves when the charts are drawn. */
  async show(data: ReportData): Promise<void> {
    this.#data = data
    this.#axes.show(data.choices, data.labels)
    await this.#showTables()
    document.getElementById('notes-main')!.replaceChildren(
      ...data.notes.map((note) => {
        const line = document.createElement('li')
        line.textContent = escapeControls(note)
        return line
      }),
    )
    for (const chart of data.charts) {
      this.#charts.set(chart)
      await nextTask()
    }
    document.getElementById('csv')!.hidden = data.csv === null
    await this.#charts.drawStale()
  }

  /** Shows one table after another. The page answers in between. */
  async #showTables(): Promise<void> {
    for (const [id, table] of Object.entries(this.#data.tables)) {
      const element = document.getElementById(id)
      if (element === null) continue
      const shown = this.#tables.get(id) ?? new DataTable(element)
      this.#tables.set(id, shown)
      shown.show(table)
      await nextTask()
    }
    this.#showMetric()
    await nextTask()
  }

  #showMetric(): void {
    const table = this.#data.tables[this.#chosenMetric.value]
    if (table !== undefined) this.#metric.show(table)
  }

  #onClick(target: Element): void {
    const button = target.closest('button')
    if (button === null) return
    const { arm, download, chart, still } = button.dataset
    if (arm !== undefined)
      button.setAttribute('aria-pressed', String(this.#charts.toggle(this.#data.labels[Number(arm)]!)))
    if (download !== undefined) void this.#charts.download(chart!, download as 'svg' | 'png')
    if (still !== undefined)
      saveAs(`${still}.svg`, (document.getElementById(`still-${still}`) as HTMLImageElement).src)
    if (button.id === 'csv' && this.#data.csv !== null)
      saveAs('comparison.csv', URL.createObjectURL(new Blob([this.#data.csv], { type: 'text/csv' })))
  }
}
