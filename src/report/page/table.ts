/**
 * A table that is sorted by a click on a title. A long one has only the rows in view as elements, so that thousands of
 * rows scroll and change smoothly.
 */
import type { TableCell, TableColumn, TableData, TableRow } from '../report-data.js'

/** A table up to this length has all rows as elements, so that the browser's own search finds them. */
const mostElements = 300
const rowsBeyondView = 20

type Sorting = { readonly column: number; readonly descending: boolean } | null

const order = new Intl.Collator('en', { numeric: true })

export class DataTable {
  readonly #box: HTMLElement
  readonly #head = document.createElement('thead')
  readonly #body = document.createElement('tbody')
  #table: TableData = { columns: [], rows: [] }
  #sorted: readonly TableRow[] = []
  #sorting: Sorting = null
  #rowHeight = 30
  #drawn = { first: -1, last: -1 }
  readonly #keep: (row: TableRow) => boolean

  /** @param keep whether a row is shown; read again by `refresh` */
  constructor(box: HTMLElement, keep: (row: TableRow) => boolean = () => true) {
    this.#box = box
    this.#keep = keep
    const table = document.createElement('table')
    table.append(this.#head, this.#body)
    box.replaceChildren(table)
    box.addEventListener('scroll', () => this.#drawWindow(false), { passive: true })
  }

  /** Shows other rows. The reader's order stays if the columns are the same. */
  show(table: TableData): void {
    const titles = ({ columns }: TableData) => JSON.stringify(columns)
    const isSame = titles(table) === titles(this.#table)
    this.#table = table
    if (!isSame) {
      this.#sorting = null
      this.#drawHead()
    }
    this.refresh()
  }

  /** Filters and sorts again. */
  refresh(): void {
    const kept = this.#table.rows.filter(this.#keep)
    this.#sorted = this.#sorting === null ? kept : kept.sort(rowOrder(this.#sorting))
    this.#drawWindow(true)
  }

  get shownRows(): number {
    return this.#sorted.length
  }

  #drawHead(): void {
    const line = document.createElement('tr')
    line.append(...this.#table.columns.map((column, index) => this.#title(column, index)))
    this.#head.replaceChildren(line)
  }

  #title({ title, hint, align, descending = false }: TableColumn, column: number): HTMLElement {
    const cell = document.createElement('th')
    cell.scope = 'col'
    cell.className = align
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = title
    button.title = hint ?? ''
    button.addEventListener('click', () => {
      const isAgain = this.#sorting?.column === column
      this.#sorting = { column, descending: isAgain ? !this.#sorting!.descending : descending }
      for (const each of cell.parentElement!.children) each.removeAttribute('aria-sort')
      cell.setAttribute('aria-sort', this.#sorting.descending ? 'descending' : 'ascending')
      this.#box.scrollTop = 0
      this.refresh()
    })
    cell.append(button)
    return cell
  }

  /** Draws the rows in view, with an empty row above and below that is as high as the others would be. */
  #drawWindow(hasChanged: boolean, isRetry = false): void {
    const { first, last } = this.#window()
    if (!hasChanged && first === this.#drawn.first && last === this.#drawn.last) return
    this.#drawn = { first, last }
    const rows = this.#sorted.slice(first, last).map((row) => this.#row(row))
    const above = spacer(first * this.#rowHeight, this.#table.columns.length)
    const below = spacer((this.#sorted.length - last) * this.#rowHeight, this.#table.columns.length)
    this.#body.replaceChildren(...above, ...rows, ...below)
    const height = rows[0]?.getBoundingClientRect().height
    if (height && !isRetry && Math.abs(height - this.#rowHeight) > 0.01) {
      this.#rowHeight = height
      // The empty rows were as high as the rows were thought to be.
      this.#drawWindow(true, true)
    }
    if (this.#sorted.length > mostElements) this.#keepWidths()
  }

  #window(): { readonly first: number; readonly last: number } {
    const { length } = this.#sorted
    if (length <= mostElements) return { first: 0, last: length }
    const top = Math.floor(this.#box.scrollTop / this.#rowHeight)
    const inView = Math.ceil((this.#box.clientHeight || 600) / this.#rowHeight)
    const first = Math.max(0, Math.min(top, length - inView) - rowsBeyondView)
    return { first, last: Math.min(length, top + inView + rowsBeyondView) }
  }

  /** Without this, the columns would move whenever wider cells come into view. */
  #keepWidths(): void {
    for (const title of this.#head.querySelectorAll('th')) title.style.minWidth = `${title.offsetWidth}px`
  }

  #row({ arm, id, cells }: TableRow): HTMLElement {
    const line = document.createElement('tr')
    if (arm !== undefined) line.dataset.arm = String(arm)
    if (id !== undefined) line.dataset.id = id
    line.append(...cells.map((cell, column) => cellElement(cell, this.#table.columns[column]!, arm, column)))
    return line
  }
}

function spacer(height: number, columns: number): readonly HTMLElement[] {
  if (height <= 0) return []
  const line = document.createElement('tr')
  const cell = document.createElement('td')
  cell.colSpan = columns
  cell.style.cssText = `height: ${height}px; padding: 0; border: 0`
  line.append(cell)
  return [line]
}

function cellElement(
  cell: TableCell,
  { align }: TableColumn,
  arm: number | undefined,
  column: number,
): HTMLElement {
  const { text, tone = '', hint = '', curve = [] } = typeof cell === 'string' ? { text: cell } : cell
  const element = document.createElement('td')
  element.className = `${align} ${tone}`.trim()
  element.title = hint || (column === 0 ? text : '')
  element.textContent = text
  if (curve.length > 1) element.replaceChildren(curveElement(curve))
  if (column === 0 && arm !== undefined) element.prepend(...swatch(arm))
  return element
}

const svg = 'http://www.w3.org/2000/svg'

/** Draws values from left to right, each between the lowest and the highest. */
function curveElement(values: readonly number[]): SVGElement {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)]
  const points = values.map((value, index) => {
    const height = highest > lowest ? (value - lowest) / (highest - lowest) : 0.5
    return `${((100 * index) / (values.length - 1)).toFixed(1)} ${(19 - 18 * height).toFixed(1)}`
  })
  const element = document.createElementNS(svg, 'svg')
  element.setAttribute('class', 'curve')
  element.setAttribute('viewBox', '0 0 100 20')
  element.setAttribute('preserveAspectRatio', 'none')
  element.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(svg, 'path')
  path.setAttribute('d', `M${points.join('L')}`)
  element.append(path)
  return element
}

/** A dot in the arm's colour; none if the pictures do not show the arm. */
function swatch(arm: number): readonly HTMLElement[] {
  const colour = getComputedStyle(document.documentElement).getPropertyValue(`--arm-${arm}`)
  if (colour === '') return []
  const dot = document.createElement('span')
  dot.className = 'swatch'
  dot.style.background = `var(--arm-${arm})`
  return [dot]
}

/** Numbers come before texts, missing values last in both directions. */
function rowOrder({ column, descending }: NonNullable<Sorting>) {
  const sign = descending ? -1 : 1
  return (left: TableRow, right: TableRow) => {
    const [a, b] = [sortValue(left.cells[column]!), sortValue(right.cells[column]!)]
    const rank = rankOf(a) - rankOf(b)
    if (rank !== 0) return rank
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
    return sign * order.compare(String(a), String(b))
  }
}

function rankOf(value: unknown): number {
  if (typeof value === 'number') return 0
  return value === null ? 2 : 1
}

function sortValue(cell: TableCell): number | string | null {
  if (typeof cell === 'string') return cell
  return cell.sort === undefined ? cell.text : cell.sort
}
