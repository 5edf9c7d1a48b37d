import type { ReportData } from '../report-data.js'
import { AxesChart } from './axes.js'
import { Charts, saveAs } from './charts.js'
import { DataTable } from './table.js'

/** Makes the sections of a report work: its tables, charts, legend and downloads. */
export class Report {
  readonly #charts: Charts
  readonly #axes: AxesChart
  readonly #tables = new Map<string, DataTable>()
  readonly #metric = new DataTable(document.getElementById('table-metric')!)
  readonly #chosenMetric = document.getElementById('metric') as HTMLSelectElement
  #data: ReportData

  constructor(data: ReportData) {
    this.#data = data
    this.#charts = new Charts(data.themes)
    this.#axes = new AxesChart(this.#charts)
    this.#chosenMetric.addEventListener('change', () => this.#showMetric())
    document.addEventListener('click', ({ target }) => this.#onClick(target as Element))
  }

  /** Shows the data and draws all charts. */
  async show(data: ReportData): Promise<void> {
    this.#data = data
    this.#showTables()
    for (const chart of data.charts) this.#charts.set(chart)
    this.#axes.show(data.choices, data.labels)
    await this.#charts.drawAll()
  }

  #showTables(): void {
    for (const [id, table] of Object.entries(this.#data.tables)) {
      const element = document.getElementById(id)
      if (element === null) continue
      const shown = this.#tables.get(id) ?? new DataTable(element)
      this.#tables.set(id, shown)
      shown.show(table)
    }
    this.#showMetric()
  }

  #showMetric(): void {
    const table = this.#data.tables[this.#chosenMetric.value]
    if (table !== undefined) this.#metric.show(table)
  }

  #onClick(target: Element): void {
    const button = target.closest('button')
    if (button === null) return
    const { arm, download, chart } = button.dataset
    if (arm !== undefined)
      button.setAttribute('aria-pressed', String(this.#charts.toggle(this.#data.labels[Number(arm)]!)))
    if (download !== undefined) void this.#charts.download(chart!, download as 'svg' | 'png')
    if (button.id === 'csv' && this.#data.csv !== null)
      saveAs('comparison.csv', URL.createObjectURL(new Blob([this.#data.csv], { type: 'text/csv' })))
  }
}
