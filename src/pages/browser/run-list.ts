import { clock, significant } from '../../text/format.js'
import type { TableColumn, TableRow } from '../report/data.js'
import { type RunRow, statuses, type Update } from '../watch/state.js'
import { DataTable } from './table.js'

const columns: readonly TableColumn[] = [
  { title: 'run', align: 'left' },
  { title: 'status', align: 'left' },
  { title: 'epoch', align: 'right', descending: true },
  { title: 's/epoch', align: 'right', hint: 'seconds an epoch, evaluation included' },
  { title: 'time', align: 'right', hint: 'from the start to the end of a completed run' },
  { title: 'test MSE ↓', align: 'right', hint: 'after the last epoch so far, clean input' },
  { title: 'effective rank ↑', align: 'right', descending: true },
  { title: 'test MSE by epoch', align: 'right' },
]

const failureColumns: readonly TableColumn[] = [
  { title: 'run', align: 'left' },
  { title: 'epoch', align: 'right' },
  { title: 'reason', align: 'left' },
]

// Runs that need attention come first; without a choice of the reader, this is the order.
const rankOf = new Map(statuses.map((status, index) => [status, index]))

/** A run and its rows in the tables. */
interface ShownRun {
  readonly row: RunRow
  readonly shown: TableRow
  /** Null unless the run has failed or was interrupted. */
  readonly failure: TableRow | null
}

/** The tables of all runs and of the failed ones. */
export class RunList {
  readonly #rows = new Map<string, ShownRun>()
  readonly #status = document.getElementById('status') as HTMLSelectElement
  readonly #search = document.getElementById('search') as HTMLInputElement
  readonly #shown = document.getElementById('shown')!
  readonly #failures = document.getElementById('failures')!
  readonly #all: DataTable
  readonly #failed = new DataTable(document.getElementById('table-failures')!)
  #hasChanged = true

  constructor() {
    this.#all = new DataTable(document.getElementById('table-watched')!, (row) => this.#isChosen(row))
    for (const status of statuses) this.#status.append(new Option(status))
    for (const control of [this.#status, this.#search])
      control.addEventListener('input', () => {
        this.#all.refresh()
        this.#count()
      })
  }

  clear(): void {
    this.#hasChanged = true
    this.#rows.clear()
  }

  apply({ changed, removed }: Update): void {
    for (const name of removed) this.#rows.delete(name)
    for (const row of changed)
      this.#rows.set(row.name, { row, shown: tableRow(row), failure: failureRow(row) })
    if (changed.length + removed.length > 0) this.#hasChanged = true
  }

  /** Draws the tables if runs have changed. */
  draw(): void {
    if (!this.#hasChanged) return
    this.#hasChanged = false
    const inOrder = [...this.#rows.values()].sort(
      (a, b) => rankOf.get(a.row.status)! - rankOf.get(b.row.status)!,
    )
    this.#all.show({ columns, rows: inOrder.map(({ shown }) => shown) })
    const failed = inOrder.flatMap(({ failure }) => failure ?? [])
    for (const element of [this.#failures, document.querySelector('a[href="#failures"]')!])
      element.toggleAttribute('hidden', failed.length === 0)
    this.#failed.show({ columns: failureColumns, rows: failed })
    this.#count()
  }

  #count(): void {
    const { size } = this.#rows
    const { shownRows } = this.#all
    this.#shown.textContent = shownRows === size ? `${size} runs` : `${shownRows} of ${size} runs`
  }

  #isChosen({ id }: TableRow): boolean {
    const run = this.#rows.get(id!)
    // Removed since the table was drawn.
    if (run === undefined) return false
    const { row } = run
    const status = this.#status.value
    return (status === '' || row.status === status) && row.name.includes(this.#search.value.trim())
  }
}

function tableRow(row: RunRow): TableRow {
  const number = (value: number | null, text: (value: number) => string) =>
    value === null ? { text: '–', sort: null } : { text: text(value), sort: value }
  return {
    id: row.name,
    cells: [
      row.name,
      { text: row.status, tone: `status ${row.status}`, ...(row.reason !== null && { hint: row.reason }) },
      { text: row.epochs === null ? '–' : `${row.epoch}/${row.epochs}`, sort: row.epoch },
      number(row.secondsPerEpoch, (value) => significant(value, 3)),
      number(row.seconds, clock),
      number(row.testMse, significant),
      number(row.effectiveRank, (value) => value.toFixed(2)),
      { text: '', sort: null, curve: row.history },
    ],
  }
}

function failureRow({ name, status, epoch, epochs, reason }: RunRow): TableRow | null {
  if (reason === null) return null
  return {
    cells: [
      { text: name, tone: `status ${status}` },
      { text: epochs === null ? '–' : `${epoch}/${epochs}`, sort: epoch },
      reason,
    ],
  }
}
