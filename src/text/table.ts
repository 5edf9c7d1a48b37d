/** Lines with colours, and tables of them. Text from outside is escaped before the colours are added. */
import { createObjectCsvStringifier } from 'csv-writer'
import { escapeControls, escapeLine, withoutFormula } from './format.js'
import { terminalWidth, widestOf } from './shorten.js'

/** SGR codes (ECMA-48) of the styles, and those that end them. */
const codes = {
  bold: [1, 22],
  faint: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const

export type Style = keyof typeof codes

/** A part of a line in one style. */
export interface Span {
  readonly text: string
  readonly styles: readonly Style[]
}

export type Line = readonly Span[]

export function span(text: string, ...styles: readonly Style[]): Span {
  return { text, styles }
}

/** Returns the lines of a text without any style. */
export function plainLines(text: string): readonly Line[] {
  return text.split('\n').map((line) => [span(line)])
}

/** Returns the lines as one text, with or without colours. Control characters in them become visible. */
export function renderLines(lines: readonly Line[], colours: boolean): string {
  return lines.map((line) => line.map((each) => renderSpan(each, colours)).join('')).join('\n')
}

function renderSpan({ text, styles }: Span, colours: boolean): string {
  const escaped = escapeControls(text)
  if (!colours) return escaped
  const [starts, ends] = [styles.map((style) => codes[style][0]), styles.map((style) => codes[style][1])]
  const sgr = (code: number) => `\x1b[${code}m`
  return `${starts.map(sgr).join('')}${escaped}${ends.reverse().map(sgr).join('')}`
}

/** Returns whether a stream shows colours: a terminal, unless NO_COLOR (no-color.org) is set. */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}

export type Alignment = 'left' | 'right'

/** A column of a printed table. */
export interface Column {
  readonly header: string
  readonly alignment: Alignment
  readonly cells: readonly Span[]
}

/** Returns a column of texts without styles. */
export function textColumn(header: string, alignment: Alignment, texts: readonly string[]): Column {
  return { header, alignment, cells: texts.map((text) => span(text)) }
}

const gap = '  '

/** Returns aligned columns without borders, one line per row, after the header if one is given. */
export function alignedTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = (rows[0] ?? ['']).map(() => 'left'),
  header?: readonly string[],
): string {
  const columns = alignments.map((alignment, index) =>
    textColumn(
      unbroken(header?.[index] ?? ''),
      alignment,
      rows.map((row) => row[index]!),
    ),
  )
  const lines = tableLines(columns).slice(header === undefined ? 1 : 0)
  return lines.map((line) => renderLines([line], false).trimEnd()).join('\n')
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
  const blocks = blocksOf(keys, columns, width).map((block) => tableLines([...keys, ...block]))
  return blocks.flatMap((lines, index) => (index === 0 ? lines : [[], ...lines]))
}

/** Returns the width of columns side by side. */
export function tableWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + columnWidth(column) + gap.length, -gap.length)
}

const noBreakSpace = '\u00a0'

/** Returns a header, or a part of one, that is not broken at its spaces. */
export function unbroken(header: string): string {
  return header.replaceAll(' ', noBreakSpace)
}

/** Returns the columns of each block of a table that fits the width, without the key columns. */
export function blocksOf(
  keys: readonly Column[],
  columns: readonly Column[],
  width: number,
): readonly (readonly Column[])[] {
  const keyWidth = tableWidth(keys)
  const blocks: Column[][] = [[]]
  let used = keyWidth
  for (const column of columns) {
    const needed = gap.length + columnWidth(column)
    if (used + needed > width && blocks.at(-1)!.length > 0) {
      blocks.push([])
      used = keyWidth
    }
    blocks.at(-1)!.push(column)
    used += needed
  }
  return blocks
}

function columnWidth(column: Column): number {
  return Math.max(cellWidth(column), widestOf(headerLines(column)))
}

function cellWidth({ cells }: Column): number {
  return widestOf(cells.map(({ text }) => escapeLine(text)))
}

/** Breaks a header so that it is no wider than its cells, as far as its words allow. */
function headerLines(column: Column): readonly string[] {
  const words = escapeLine(column.header).split(' ')
  return wrap(words, Math.max(cellWidth(column), widestOf(words))).map((line) =>
    line.replaceAll(noBreakSpace, ' '),
  )
}

function tableLines(columns: readonly Column[]): readonly Line[] {
  const headers = columns.map(headerLines)
  const height = Math.max(...headers.map(({ length }) => length))
  const texts = columns.map(({ alignment, cells }, index) => {
    const lines = headers[index]!
    const above = Array.from({ length: height - lines.length }, () => '')
    return { alignment, cells: [...[...above, ...lines].map((line) => span(line)), ...cells] }
  })
  const widths = columns.map(columnWidth)
  return texts[0]!.cells.map((_, row) =>
    withoutTrailingSpace(
      texts.flatMap(({ alignment, cells }, index) => {
        const { text, styles } = cells[row]!
        const escaped = escapeLine(text)
        const space = ' '.repeat(widths[index]! - terminalWidth(escaped))
        const before = `${index === 0 ? '' : gap}${alignment === 'right' ? space : ''}`
        return [span(before), { text: escaped, styles }, span(alignment === 'left' ? space : '')]
      }),
    ),
  )
}

function withoutTrailingSpace(spans: readonly Span[]): Line {
  const last = spans.findLastIndex(({ text }) => text.trim() !== '')
  return spans.slice(0, last + 1).filter(({ text }) => text !== '')
}

/** Returns the words in lines of at most the given width. */
export function wrap(words: readonly string[], width: number): readonly string[] {
  const lines: string[] = []
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && terminalWidth(longer) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** Returns records as CSV with a header. A missing value is an empty cell, a list of words has spaces, an object is JSON. */
export function csvText(
  columns: readonly string[],
  records: readonly Readonly<Record<string, unknown>>[],
): string {
  const csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  const cells = records.map((record) => Object.fromEntries(columns.map((id) => [id, csvCell(record[id])])))
  return `${csv.getHeaderString()}${csv.stringifyRecords(cells)}`
}

function csvCell(value: unknown): string | number {
  if (typeof value === 'number') return value
  if (value === null || value === undefined) return ''
  if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return withoutFormula(value.join(' '))
  return withoutFormula(typeof value === 'string' ? value : JSON.stringify(value))
}
