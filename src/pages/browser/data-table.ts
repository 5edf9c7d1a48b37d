/**
 * A table that is sorted by a click on a title. A long one has only the rows in view as elements, so that thousands of
 * rows scroll and change smoothly.
 */
import { escapeControls } from '../../text/format.js'
import { truncateDistinct } from '../../text/shorten.js'
import type { TableCell, TableColumn, TableData, TableRow, WholeCell } from '../report/report-format.js'

/** A table up to this length has all rows as elements, so that the browser's own search finds them. */
const mostElements = 300
const rowsBeyondView = 20

type Sorting = { readonly column: number; readonly descending: boolean } | null

const order = new Intl.Collator('en', { numeric: true })

export class DataTable {
  readonly #head = document.createElement('thead')
  readonly #body = document.createElement('tbody')
  readonly #above = document.createElement('tr')
  readonly #below = document.createElement('tr')
  readonly #box: HTMLElement
  readonly #keep: (row: TableRow) => boolean
  #table: TableData = { columns: [], rows: [] }
  #sorted: readonly TableRow[] = []
  #sorting: Sorting = null
  /** The texts of the first column, and their short forms. */
  #names: ReadonlyMap<string, string> = new Map()
  #nameWidth = 0
  /** The elements of the rows in view. */
  #elements = new Map<TableRow, HTMLElement>()
  #drawn = { first: -1, last: -1 }
  #rowHeight = 30
  #isMeasured = false
  // Reading these from the box after a change would make the browser lay the page out at once.
  #scrollTop = 0
  #boxHeight = 600

  /** @param keep whether a row is shown; read again by `refresh` */
  constructor(box: HTMLElement, keep: (row: TableRow) => boolean = () => true) {
    this.#box = box
    this.#keep = keep
    const table = document.createElement('table')
    table.append(this.#head, this.#body)
    box.replaceChildren(table)
    const look = () => {
      this.#scrollTop = box.scrollTop
      this.#boxHeight = box.clientHeight || this.#boxHeight
      this.#drawWindow(false)
    }
    box.addEventListener('scroll', look, { passive: true })
    new ResizeObserver(() => {
      look()
      this.#shortenNames()
      this.#drawWindow(true)
    }).observe(box)
  }

  /** Shows other rows; the same objects keep their elements. The reader's order stays if the columns are the same. */
  show(table: TableData): void {
    const titles = ({ columns }: TableData) => JSON.stringify(columns)
    const isSame = titles(table) === titles(this.#table)
    this.#table = table
    if (!isSame) {
      this.#sorting = null
      this.#isMeasured = false
      this.#elements = new Map()
      this.#drawHead()
    }
    this.#shortenNames()
    this.refresh()
  }

  /**
   * Shortens the names in the first column so that they stay distinct beside the other columns. On a small screen, those of a
   * table that is not long have two or three lines.
   */
  #shortenNames(): void {
    const { rows } = this.#table
    const hasLines = rows.length <= mostElements && matchMedia('(max-width: 40rem)').matches
    this.#box.classList.toggle('wrapped', hasLines)
    const width = nameCharacters() * (hasLines ? 2 : 1)
    const names = rows.map(({ cells }) => wholeCell(cells[0]!).text)
    const isKnown = names.length === this.#names.size && names.every((name) => this.#names.has(name))
    if (isKnown && width === this.#nameWidth) return
    const short = truncateDistinct(names, width)
    this.#names = new Map(names.map((name, index) => [name, short[index]!]))
    this.#nameWidth = width
    this.#elements = new Map()
  }

  #cell({ cells }: TableRow, column: number): WholeCell {
    const cell = wholeCell(cells[column]!)
    return column === 0 ? { hint: cell.text, ...cell, text: this.#names.get(cell.text)! } : cell
  }

  /** Filters and sorts again. */
  refresh(): void {
    const kept = this.#table.rows.filter(this.#keep)
    this.#sorted = this.#sorting === null ? kept : kept.sort(rowOrder(this.#sorting))
    if (this.#isLong) this.#keepWidths()
    this.#drawWindow(true)
  }

  get #isLong(): boolean {
    return this.#sorted.length > mostElements
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
    const cell = Object.assign(document.createElement('th'), { scope: 'col', className: align })
    const texts = { textContent: title, title: hint ?? '' }
    const button = Object.assign(document.createElement('button'), { type: 'button', ...texts })
    button.addEventListener('click', () => {
      const isAgain = this.#sorting?.column === column
      this.#sorting = { column, descending: isAgain ? !this.#sorting!.descending : descending }
      for (const each of cell.parentElement!.children) each.removeAttribute('aria-sort')
      cell.setAttribute('aria-sort', this.#sorting.descending ? 'descending' : 'ascending')
      this.#scrollTop = 0
      this.#box.scrollTop = 0
      this.refresh()
    })
    cell.append(button)
    return cell
  }

  /** Draws the rows in view, with an empty row above and below that is as high as the others would be. */
  #drawWindow(hasChanged: boolean): void {
    const { first, last } = this.#window()
    if (!hasChanged && first === this.#drawn.first && last === this.#drawn.last) return
    this.#drawn = { first, last }
    const before = this.#elements
    const shown = this.#sorted.slice(first, last)
    this.#elements = new Map(shown.map((row) => [row, before.get(row) ?? this.#row(row)]))
    const height = { above: first * this.#rowHeight, below: (this.#sorted.length - last) * this.#rowHeight }
    setChildren(this.#body, [
      ...this.#spacer(this.#above, height.above),
      ...this.#elements.values(),
      ...this.#spacer(this.#below, height.below),
    ])
    if (this.#isLong && !this.#isMeasured) this.#measure()
  }

  /** Draws again with the height that the rows really have. */
  #measure(): void {
    const [row] = this.#elements.values()
    const height = row?.getBoundingClientRect().height
    if (!height) return
    this.#isMeasured = true
    this.#rowHeight = height
    this.#drawWindow(true)
  }

  #window(): { readonly first: number; readonly last: number } {
    const { length } = this.#sorted
    if (!this.#isLong) return { first: 0, last: length }
    const top = Math.floor(this.#scrollTop / this.#rowHeight)
    const inView = Math.ceil(this.#boxHeight / this.#rowHeight)
    const first = Math.max(0, Math.min(top, length - inView) - rowsBeyondView)
    return { first, last: Math.min(length, top + inView + rowsBeyondView) }
  }

  /** Without this, the columns would move whenever wider cells come into view. */
  #keepWidths(): void {
    for (const [column, title] of [...this.#head.querySelectorAll('th')].entries()) {
      const lengthOf = (row: TableRow) => this.#cell(row, column).text.length
      const longest = this.#sorted.reduce((most, row) => Math.max(most, lengthOf(row)), 0)
      title.style.minWidth = `min(${longest}ch, 22rem)`
    }
  }

  /** Returns an empty row that takes the place of rows out of view; none if there are none. */
  #spacer(line: HTMLElement, height: number): readonly HTMLElement[] {
    if (height <= 0) return []
    const cell = line.firstElementChild ?? line.appendChild(document.createElement('td'))
    cell.setAttribute('colspan', String(this.#table.columns.length))
    cell.setAttribute('style', `height: ${height}px; padding: 0; border: 0`)
    return [line]
  }

  #row(row: TableRow): HTMLElement {
    const { arm, id, cells } = row
    const line = document.createElement('tr')
    if (arm !== undefined) line.dataset.arm = String(arm)
    if (id !== undefined) line.dataset.id = id
    line.append(
      ...cells.map((_, column) => cellElement(this.#cell(row, column), this.#table.columns[column]!)),
    )
    if (arm !== undefined) line.firstElementChild?.prepend(swatch(arm))
    return line
  }
}

/** Makes these the children. Those that stay are not touched, so that the browser lays out only the others. */
function setChildren(parent: HTMLElement, children: readonly HTMLElement[]): void {
  const wanted = new Set<Element>(children)
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove()
  let next = parent.firstElementChild
  for (const child of children) {
    if (child === next) next = child.nextElementSibling
    else parent.insertBefore(child, next)
  }
}

function cellElement(
  { text, tone = '', hint = '', curve = [] }: WholeCell,
  { align }: TableColumn,
): HTMLElement {
  const element = document.createElement('td')
  element.className = `${align} ${tone}`.trim()
  // Names come from folders and configs, which may hold any character.
  element.title = escapeControls(hint)
  element.textContent = escapeControls(text)
  if (curve.length > 1) element.innerHTML = curveOf(curve)
  return element
}

/** Returns the characters of a line of the first column, which has half of a narrow screen. */
function nameCharacters(): number {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
  return Math.floor((Math.min(24 * rem, innerWidth / 2) - 2 * rem) / (rem / 2))
}

/** A dot in the arm's colour. */
function swatch(arm: number): HTMLElement {
  const dot = document.createElement('span')
  dot.className = 'swatch'
  dot.style.background = `var(--arm-${arm})`
  return dot
}

/** Returns a picture of values from left to right, each between the lowest and the highest. */
function curveOf(values: readonly number[]): string {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)]
  const points = values.map((value, index) => {
    const height = highest > lowest ? (value - lowest) / (highest - lowest) : 0.5
    return `${((100 * index) / (values.length - 1)).toFixed(1)} ${(19 - 18 * height).toFixed(1)}`
  })
  return `<svg class="curve" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true"><path d="M${points.join('L')}"/></svg>`
}

/** Numbers come before texts, missing values last in both directions. */
function rowOrder({ column, descending }: NonNullable<Sorting>) {
  const sign = descending ? -1 : 1
  const valueIn = ({ cells }: TableRow) => {
    const { text, sort = text } = wholeCell(cells[column]!)
    return sort
  }
  const rankOf = (value: unknown) => (typeof value === 'number' ? 0 : value === null ? 2 : 1)
  return (left: TableRow, right: TableRow) => {
    const [a, b] = [valueIn(left), valueIn(right)]
    if (rankOf(a) !== rankOf(b)) return rankOf(a) - rankOf(b)
    return sign * (typeof a === 'number' ? a - Number(b) : order.compare(String(a), String(b)))
  }
}

function wholeCell(cell: TableCell): WholeCell {
  return typeof cell === 'string' ? { text: cell } : cell
}
