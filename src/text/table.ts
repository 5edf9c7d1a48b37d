import { escapeLine } from './controls.js'

export type Alignment = 'left' | 'right'

const gap = '  '

/** Aligned columns without borders; a line a row, the header first where there is one. */
export function alignedTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
  header?: readonly string[],
): string {
  const lines = (header === undefined ? rows : [header, ...rows]).map((line) => line.map(escapeLine))
  const widths = alignments.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, terminalWidth(line[column]!)), 0),
  )
  return lines
    .map((line) => line.map((cell, column) => padded(cell, widths[column]!, alignments[column]!)))
    .map((cells) => cells.join(gap).trimEnd())
    .join('\n')
}

function padded(cell: string, width: number, alignment: Alignment): string {
  const space = ' '.repeat(width - terminalWidth(cell))
  return alignment === 'left' ? cell + space : space + cell
}

const plain = /^[\x20-\x7e]*$/
// East Asian characters and emoji take two cells; accents that combine take none.
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}！-｠]/gu
const combining = /\p{Mark}/gu

/** How many cells of a terminal a text takes. */
export function terminalWidth(text: string): number {
  if (plain.test(text)) return text.length
  return [...text.replace(combining, '')].length + (text.match(wide)?.length ?? 0)
}
