/** The chart whose axes the reader chooses. */

import { armField, type Chart, type Spec } from '../../plots/chart.js'
import { dashes } from '../../plots/theme.js'
import type { Choices, Quantity } from '../report/data.js'
import type { Charts } from './charts.js'

const epoch: Quantity = { name: 'epoch', title: 'epoch' }

interface Axis {
  readonly select: HTMLSelectElement
  readonly log: HTMLInputElement
}

interface Chosen {
  readonly quantity: Quantity
  readonly log: boolean
}

export class AxesChart {
  readonly #charts: Charts
  readonly #x = axisOf('axis-x')
  readonly #y = axisOf('axis-y')
  #choices: Choices = { logged: [], final: [], arms: [], runs: [] }
  #labels: readonly string[] = []

  constructor(charts: Charts) {
    this.#charts = charts
    for (const { select, log } of [this.#x, this.#y]) {
      select.addEventListener('change', () => this.#draw())
      log.addEventListener('change', () => this.#draw())
    }
  }

  /** Replaces the data. The reader's choice stays if it is still possible. */
  show(choices: Choices, labels: readonly string[]): void {
    this.#choices = choices
    this.#labels = labels
    const names = new Set(choices.final.map(({ name }) => name))
    const measured = choices.logged.filter(({ name }) => !names.has(name))
    fillSelect(this.#y.select, [...choices.final, ...measured], 'test_mse')
    fillSelect(this.#x.select, [epoch, ...choices.final], 'epoch')
    this.#update()
  }

  #draw(): void {
    this.#update()
    void this.#charts.drawStale()
  }

  #update(): void {
    const { logged, final } = this.#choices
    const isLogged = logged.some(({ name }) => name === this.#y.select.value)
    const [byEpoch] = this.#x.select.options
    if (byEpoch !== undefined) byEpoch.disabled = !isLogged
    if (!isLogged && this.#x.select.value === 'epoch') this.#x.select.value = (final.at(-1) ?? epoch).name
    const isByEpoch = this.#x.select.value === 'epoch'
    const rows = isByEpoch ? this.#epochRows() : this.#runRows()
    const chosen = {
      x: chosenOf(
        this.#x,
        rows.map(({ x }) => x),
      ),
      y: chosenOf(
        this.#y,
        rows.map(({ y }) => y),
      ),
    }
    const marks = isByEpoch ? lines(this.#labels) : points(this.#labels)
    this.#charts.set(chartOf(rows, chosen, marks))
  }

  #epochRows() {
    const { logged, arms } = this.#choices
    const quantity = logged.findIndex(({ name }) => name === this.#y.select.value)
    return arms.flatMap(({ epochs, values }, arm) =>
      epochs.flatMap((at, index) => {
        const estimate = values[quantity]?.[index]
        if (!estimate) return []
        const [mean, low = mean, high = mean] = estimate
        return [{ [armField]: this.#labels[arm]!, x: at, y: mean, low, high }]
      }),
    )
  }

  #runRows() {
    const { final, runs } = this.#choices
    const place = (name: string) => final.findIndex((quantity) => quantity.name === name)
    const [x, y] = [place(this.#x.select.value), place(this.#y.select.value)]
    return runs.flatMap(({ run, arm, values }) => {
      const [across, up] = [values[x] ?? null, values[y] ?? null]
      return across === null || up === null ? [] : [{ [armField]: arm, run, x: across, y: up }]
    })
  }
}

function axisOf(id: string): Axis {
  return {
    select: document.getElementById(id) as HTMLSelectElement,
    log: document.getElementById(`${id}-log`) as HTMLInputElement,
  }
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

/** A logarithmic axis is possible only if all values are numbers over 0. */
function chosenOf({ select, log }: Axis, values: readonly unknown[]): Chosen & { readonly isText: boolean } {
  const isPossible = values.length > 0 && values.every((value) => typeof value === 'number' && value > 0)
  log.disabled = !isPossible
  const title = select.selectedOptions[0]?.textContent ?? ''
  const isText = values.some((value) => typeof value === 'string')
  return { quantity: { name: select.value, title }, log: log.checked && isPossible, isText }
}

type Axes = Readonly<Record<'x' | 'y', Chosen & { readonly isText: boolean }>>

function chartOf(rows: readonly object[], axes: Axes, layer: readonly Spec[]): Chart {
  const encoding = { x: axisSpec('x', axes.x), y: axisSpec('y', axes.y) }
  return {
    name: 'axes',
    title: `${axes.y.quantity.name} against ${axes.x.quantity.name}`,
    caption: '',
    panels: { count: 1, width: 620, height: 340, columns: 1, margin: 90 },
    spec: {
      data: { values: rows },
      encoding,
      layer,
    },
  }
}

function axisSpec(field: 'x' | 'y', { quantity, log, isText }: Chosen & { readonly isText: boolean }): Spec {
  const title = quantity.title
  if (isText) return { field, type: 'nominal', title }
  const scale = log ? { type: 'log', nice: false, padding: 10 } : { zero: false, padding: 10 }
  return { field, type: 'quantitative', title, scale, axis: { format: '~g', tickCount: 8 } }
}

function lines(labels: readonly string[]): readonly Spec[] {
  const scale = { domain: labels }
  const color = { field: armField, type: 'nominal', scale, legend: null }
  const strokeDash = {
    field: armField,
    type: 'nominal',
    scale: { domain: labels, range: dashes },
    legend: null,
  }
  const format = '.5~g'
  const tooltip = [
    { field: armField, title: 'arm' },
    { field: 'x', title: 'epoch' },
    { field: 'y', title: 'mean', format },
    { field: 'low', title: '95 % from', format },
    { field: 'high', title: 'to', format },
  ]
  return [
    {
      mark: { type: 'area', opacity: 0.18 },
      encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' }, color },
    },
    { mark: { type: 'line', strokeWidth: 2 }, encoding: { color, strokeDash } },
    { mark: { type: 'point', filled: true, size: 30, opacity: 1 }, encoding: { color, tooltip } },
  ]
}

function points(labels: readonly string[]): readonly Spec[] {
  const isDrawn = { field: armField, oneOf: labels }
  const color = {
    condition: { test: isDrawn, field: armField, type: 'nominal', scale: { domain: labels }, legend: null },
    value: '#8a8f98',
  }
  const format = '.5~g'
  const tooltip = [
    { field: armField, title: 'arm' },
    { field: 'run' },
    { field: 'x', format },
    { field: 'y', format },
  ]
  return [{ mark: { type: 'point', filled: true, size: 50, opacity: 0.75 }, encoding: { color, tooltip } }]
}
