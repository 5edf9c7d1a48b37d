import { escapeLine } from './format.js'

export type Alignment = 'left' | 'right'

const gap = '  '

/** Returns aligned columns without borders, one line per row, after the header if one is given. */
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
    .map((line) => line.map((cell, column) => pad(cell, widths[column]!, alignments[column]!)))
    .map((cells) => cells.join(gap).trimEnd())
    .join('\n')
}

function pad(cell: string, width: number, alignment: Alignment): string {
  const space = ' '.repeat(width - terminalWidth(cell))
  return alignment === 'left' ? cell + space : space + cell
}

const plain = /^[\x20-\x7e]*$/
// East Asian characters and emoji take two cells, combining accents none.
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}！-｠]/gu
const combining = /\p{Mark}/gu

/** Returns the number of terminal cells that a text takes. */
export function terminalWidth(text: string): number {
  if (plain.test(text)) return text.length
  return [...text.replace(combining, '')].length + (text.match(wide)?.length ?? 0)
}

// The start's share of the text that is kept.
const startShares = [0, 1 / 3, 1 / 2, 2 / 3, 1]

/**
 * Replaces the same part of every text that is too wide by "…". Long names mostly differ at their ends, so the ends are
 * kept; more of the starts is kept only if that leaves more of the texts distinct.
 */
export function truncateDistinct(texts: readonly string[], width: number): readonly string[] {
  const candidates = startShares.map((startShare) => texts.map((text) => truncate(text, width, startShare)))
  const distinct = candidates.map((candidate) => new Set(candidate).size)
  return candidates[distinct.indexOf(Math.max(...distinct))]!
}

/** Replaces a part of a text that is too wide by "…". `startShare` of the rest comes from its start. */
export function truncate(text: string, width: number, startShare: number): string {
  if (terminalWidth(text) <= width) return text
  const start = fittingPrefix([...text], Math.round((width - 1) * startShare))
  const end = fittingPrefix([...text].reverse(), width - 1 - terminalWidth(start.join('')))
  return `${start.join('')}…${end.reverse().join('')}`
}

function fittingPrefix(characters: string[], width: number): string[] {
  let kept = characters
  while (terminalWidth(kept.join('')) > width) kept = kept.slice(0, -1)
  return kept
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

/** Returns the cells of the widest text. */
export function widestOf(texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, terminalWidth(text)), 0)
}
