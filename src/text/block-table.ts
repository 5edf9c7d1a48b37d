import { escapeLine } from './format.js'
import { type Line, type Span, span } from './styled.js'
import { type Alignment, terminalWidth, wrap } from './table.js'

const gap = '  '

/** A column of a table that is wider than a terminal may be. */
export interface Column {
  readonly header: string
  readonly alignment: Alignment
  readonly cells: readonly Span[]
}

/**
 * Returns a table that fits the width: if the columns do not fit side by side, those that do not are below the others,
 * each block with the key columns again. Headers break at spaces if that makes their column narrower.
 */
export function blockTable(
  keys: readonly Column[],
  columns: readonly Column[],
  width: number,
): readonly Line[] {
  const all = blocksOf(keys, columns, width).map((block) => tableLines([...keys, ...block]))
  return all.flatMap((lines, index) => (index === 0 ? lines : [[], ...lines]))
}

/** Returns the number of blocks of a table. */
export function blockCount(keys: readonly Column[], columns: readonly Column[], width: number): number {
  return blocksOf(keys, columns, width).length
}

/** Returns the width of columns side by side. */
export function tableWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + columnWidth(column) + gap.length, -gap.length)
}

/** Returns a header, or a part of one, that is not broken at its spaces. */
export function unbroken(header: string): string {
  return header.replaceAll(' ', noBreakSpace)
}

const noBreakSpace = '\u00a0'

function blocksOf(
  keys: readonly Column[],
  columns: readonly Column[],
  width: number,
): readonly (readonly Column[])[] {
  const widthOf = (each: Column) => columnWidth(each) + gap.length
  const keyWidth = tableWidth(keys)
  const blocks: Column[][] = [[]]
  let used = keyWidth
  for (const column of columns) {
    if (used + widthOf(column) > width && blocks.at(-1)!.length > 0) {
      blocks.push([])
      used = keyWidth
    }
    blocks.at(-1)!.push(column)
    used += widthOf(column)
  }
  return blocks
}

function columnWidth(column: Column): number {
  return Math.max(cellWidth(column), ...headerLines(column).map(terminalWidth))
}

function cellWidth({ cells }: Column): number {
  return cells.reduce((widest, { text }) => Math.max(widest, terminalWidth(escapeLine(text))), 0)
}

/** Breaks a header so that it is no wider than its cells, as far as its words allow. */
function headerLines(column: Column): readonly string[] {
  const words = escapeLine(column.header).split(' ')
  const width = Math.max(cellWidth(column), ...words.map(terminalWidth))
  return wrap(words, width).map((line) => line.replaceAll(noBreakSpace, ' '))
}

type SizedColumn = Column & { readonly width: number }

function tableLines(unsized: readonly Column[]): readonly Line[] {
  const columns = unsized.map((column) => ({ ...column, width: columnWidth(column) }))
  const headers = columns.map(headerLines)
  const height = Math.max(...headers.map(({ length }) => length))
  const rows = Math.max(...columns.map(({ cells }) => cells.length))
  const head = Array.from({ length: height }, (_, line) =>
    lineOf(
      columns,
      headers.map((lines) => span(lines[line - height + lines.length] ?? '')),
    ),
  )
  const body = Array.from({ length: rows }, (_, row) =>
    lineOf(
      columns,
      columns.map(({ cells }) => cells[row]!),
    ),
  )
  return [...head, ...body]
}

function lineOf(columns: readonly SizedColumn[], cells: readonly Span[]): Line {
  const spans = cells.flatMap(({ text, styles }, index) => {
    const escaped = escapeLine(text)
    const { alignment, width } = columns[index]!
    const space = ' '.repeat(width - terminalWidth(escaped))
    const before = `${index === 0 ? '' : gap}${alignment === 'right' ? space : ''}`
    return [span(before), { text: escaped, styles }, span(alignment === 'left' ? space : '')]
  })
  return withoutTrailingSpace(spans)
}

function withoutTrailingSpace(spans: readonly Span[]): Line {
  const last = spans.findLastIndex(({ text }) => text.trim() !== '')
  return spans.slice(0, last + 1).filter(({ text }) => text !== '')
}
