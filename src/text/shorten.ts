import { terminalWidth } from './table.js'

// Of what is kept, the start's part.
const startShares = [0, 1 / 3, 1 / 2, 2 / 3, 1]

/**
 * Texts that are too wide with "…" for a part of them, the same part in all. What differs in long names mostly stands at
 * their ends; where that does not tell as many of them apart, more of their starts is kept.
 */
export function shortenedApart(texts: readonly string[], width: number): readonly string[] {
  const ways = startShares.map((share) => texts.map((text) => shortened(text, width, share)))
  const told = ways.map((way) => new Set(way).size)
  return ways[told.indexOf(Math.max(...told))]!
}

/** A text that is too wide with "…" for a part of it; `startShare` of what is kept is its start, the rest its end. */
export function shortened(text: string, width: number, startShare: number): string {
  if (terminalWidth(text) <= width) return text
  const start = firstOf([...text], Math.round((width - 1) * startShare))
  const end = firstOf([...text].reverse(), width - 1 - terminalWidth(start.join('')))
  return `${start.join('')}…${end.reverse().join('')}`
}

/** As many characters as fit. */
function firstOf(characters: string[], width: number): string[] {
  let kept = characters
  while (terminalWidth(kept.join('')) > width) kept = kept.slice(0, -1)
  return kept
}
