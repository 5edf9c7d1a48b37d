import {
  armColorEncoding,
  armColorOrGrey,
  armDashEncoding,
  armField,
  armText,
  intervalTooltip,
  numbers,
  type Spec,
} from '../../plots/chart.js'
import { escapeControls } from '../../text/format.js'
import type { Choices, Quantity, ReportData } from '../report/report-format.js'
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

/** By epoch, the chart has lines, otherwise a point per run. */
const epoch: Quantity = { name: 'epoch', title: 'epoch' }

type PlottedRow = Readonly<Record<string, unknown>>

/** The chart whose axes the reader chooses. */
class AxesChart {
  readonly #charts: Charts
  readonly #x = document.getElementById('axis-x') as HTMLSelectElement
  readonly #y = document.getElementById('axis-y') as HTMLSelectElement
  #choices: Choices = { logged: [], final: [], arms: [], runs: [] }
  #labels: readonly string[] = []

  constructor(charts: Charts) {
    this.#charts = charts
    for (const control of [this.#x, this.#y, logBox(this.#x), logBox(this.#y)])
      control.addEventListener('change', () => {
        this.#update()
        void charts.drawStale()
      })
  }

  /** Replaces the data. The reader's choice stays if it is still possible. */
  show(choices: Choices, labels: readonly string[]): void {
    this.#choices = choices
    this.#labels = labels
    const names = new Set(choices.final.map(({ name }) => name))
    const measured = choices.logged.filter(({ name }) => !names.has(name))
    fillSelect(this.#y, [...choices.final, ...measured], 'test_mse')
    fillSelect(this.#x, [epoch, ...choices.final], epoch.name)
    this.#update()
  }

  #update(): void {
    const { logged, final } = this.#choices
    const [x, y] = [this.#x, this.#y]
    const isLogged = logged.some(({ name }) => name === y.value)
    const [byEpoch] = x.options
    if (byEpoch !== undefined) byEpoch.disabled = !isLogged
    if (!isLogged && x.value === epoch.name) x.value = (final.at(-1) ?? epoch).name
    const isByEpoch = x.value === epoch.name
    const rows = isByEpoch ? this.#epochRows() : this.#runRows()
    this.#charts.set({
      name: 'axes',
      title: `${y.value} against ${x.value}`,
      caption: '',
      panels: { count: 1, width: 620, height: 240, columns: 1, margin: 90 },
      spec: {
        data: { values: rows },
        encoding: { x: encodingOf('x', x, rows), y: encodingOf('y', y, rows) },
        layer: isByEpoch ? lines(this.#labels) : points(this.#labels),
      },
    })
  }

  #epochRows(): readonly PlottedRow[] {
    const { logged, arms } = this.#choices
    const quantity = logged.findIndex(({ name }) => name === this.#y.value)
    return arms.flatMap(({ epochs, values }, arm) =>
      epochs.flatMap((at, index) => {
        const estimate = values[quantity]?.[index]
        if (!estimate) return []
        const [mean, low = mean, high = mean] = estimate
        return [{ [armField]: this.#labels[arm]!, x: at, y: mean, low, high }]
      }),
    )
  }

  #runRows(): readonly PlottedRow[] {
    const { final, runs } = this.#choices
    const [x, y] = [this.#x, this.#y].map(({ value }) => final.findIndex(({ name }) => name === value))
    return runs.flatMap(({ run, arm, values }) => {
      const [across, up] = [values[x!] ?? null, values[y!] ?? null]
      return across === null || up === null ? [] : [{ [armField]: arm, run, x: across, y: up }]
    })
  }
}

/** Returns the box that makes an axis logarithmic. */
function logBox({ id }: HTMLSelectElement): HTMLInputElement {
  return document.getElementById(`${id}-log`) as HTMLInputElement
}

/** Fills a choice and keeps the chosen one, or else chooses `initial`. */
function fillSelect(select: HTMLSelectElement, quantities: readonly Quantity[], initial: string): void {
  const wanted = select.value || initial
  const names = quantities.map(({ name }) => name)
  const present = Array.from(select.options, ({ value }) => value)
  if (present.join('\n') === names.join('\n')) return
  select.replaceChildren(
    ...quantities.map(({ name, title }) => new Option(name === title ? name : `${title} (${name})`, name)),
  )
  select.value = names.includes(wanted) ? wanted : (names[0] ?? '')
}

/** Returns the encoding of an axis. It can be logarithmic only if all values are numbers over 0. */
function encodingOf(field: 'x' | 'y', select: HTMLSelectElement, rows: readonly PlottedRow[]): Spec {
  const values = rows.map((row) => row[field])
  const log = logBox(select)
  log.disabled = !(values.length > 0 && values.every((value) => typeof value === 'number' && value > 0))
  const title = select.selectedOptions[0]?.textContent ?? ''
  if (values.some((value) => typeof value === 'string')) return { field, type: 'nominal', title }
  const isLog = log.checked && !log.disabled
  const scale = isLog ? { type: 'log', nice: false, padding: 10 } : { zero: false, padding: 10 }
  return numbers(field, { title, scale, axis: { format: '~g', tickCount: 8 } })
}

const format = '.5~g'

function lines(labels: readonly string[]): readonly Spec[] {
  const color = armColorEncoding(labels)
  const tooltip = intervalTooltip({ field: 'y', title: 'mean' }, format, { field: 'x', title: 'epoch' })
  return [
    { mark: { type: 'area', opacity: 0.18 }, encoding: { y: numbers('low'), y2: { field: 'high' }, color } },
    { mark: { type: 'line', strokeWidth: 2 }, encoding: { color, strokeDash: armDashEncoding(labels) } },
    { mark: { type: 'point', filled: true, size: 30, opacity: 1 }, encoding: { color, tooltip } },
  ]
}

function points(labels: readonly string[]): readonly Spec[] {
  const tooltip = [armText, { field: 'run' }, { field: 'x', format }, { field: 'y', format }]
  return [
    {
      mark: { type: 'point', filled: true, size: 50, opacity: 0.75 },
      encoding: { color: armColorOrGrey(labels), tooltip },
    },
  ]
}
