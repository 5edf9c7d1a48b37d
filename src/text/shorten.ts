/** Short forms of texts for terminals, pages and pictures, among them names that stay distinct. */
import { groupBy } from '../group-by.js'

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

/** Returns the cells of the widest text. */
export function widestOf(texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, terminalWidth(text)), 0)
}

/** Splits a name into its settings, at even indexes, and the separators between them. */
export function partsOf(name: string): readonly string[] {
  return name.split(/([ ,/])/)
}

const isSeparator = (index: number) => index % 2 === 1

/** Returns the settings that are in all names, in the order of the first. */
function sharedSettings(split: readonly (readonly string[])[]): readonly string[] {
  return split[0]!.filter(
    (part, index) => !isSeparator(index) && split.every((parts) => parts.includes(part)),
  )
}

/**
 * Separates what all names share, for a title, from the rest of each, for rows. A name without a rest stays whole, as do all
 * names if there is one alone or if two rests are the same.
 */
export function withoutShared(names: readonly string[]) {
  const split = names.map(partsOf)
  const shared = names.length < 2 ? [] : sharedSettings(split)
  const rests = split.map((parts, index) => {
    const own = [...parts.keys()].filter((at) => !isSeparator(at) && !shared.includes(parts[at]!))
    return own.map((at, place) => `${place === 0 ? '' : parts[at - 1]}${parts[at]}`).join('') || names[index]!
  })
  const areDistinct = new Set(rests).size === names.length
  return {
    shared: areDistinct ? shared.join(', ') : '',
    rests: new Map(names.map((name, index) => [name, areDistinct ? rests[index]! : name])),
  }
}

// The start's share of the text that is kept, the preferred one first.
const startShares = [1 / 2, 1 / 3, 2 / 3, 0, 1]

/**
 * Shortens texts that are too wide, such as names of arms, so that distinct texts stay distinct. Texts are split into
 * settings, each of which is shortened in its middle like the same setting of the other texts; "…" stands for those that all
 * texts share. Texts that are still the same or too wide get their numbers.
 */
export function truncateDistinct(texts: readonly string[], width: number): readonly string[] {
  if (widestOf(texts) <= width) return texts
  const distinct = [...new Set(texts)]
  if (distinct.length === 1) return texts.map((text) => truncate(text, width, 1 / 2))
  const split = distinct.map(partsOf)
  const keyOf = (part: string, index: number) =>
    part.includes('=') ? part.slice(0, part.indexOf('=') + 1) : String(index)
  const groups = groupBy(
    split.flatMap((parts) =>
      parts
        .map((part, index) => ({ part, key: keyOf(part, index) }))
        .filter((_, index) => !isSeparator(index)),
    ),
    ({ key }) => key,
  )
  const shared = sharedSettings(split)
  const build = (most: number) => {
    const short = new Map(
      [...groups].map(([key, group]) => [
        key,
        shortenedParts([...new Set(group.map(({ part }) => part))], most),
      ]),
    )
    return split.map((parts) =>
      parts
        .map((part, index) =>
          isSeparator(index) ? part : shared.includes(part) ? '…' : short.get(keyOf(part, index))!.get(part)!,
        )
        .join('')
        .replace(/…([ ,/]…)+/g, '…'),
    )
  }
  let [fits, tooWide] = [0, widestOf(split.flat()) + 1]
  while (tooWide - fits > 1) {
    const middle = Math.floor((fits + tooWide) / 2)
    if (widestOf(build(middle)) <= width) fits = middle
    else tooWide = middle
  }
  const built = build(Math.max(1, fits))
  const isGood = widestOf(built) <= width && new Set(built).size === distinct.length
  const found = new Map(
    distinct.map((text, index) => {
      const tag = `#${index + 1}`
      return [
        text,
        isGood ? built[index]! : `${truncate(text, Math.max(1, width - tag.length), 1 / 2)}${tag}`,
      ]
    }),
  )
  return texts.map((text) => found.get(text)!)
}

/** Returns short forms of the different values of a setting: without the ends that they share, then with a shorter name. */
function shortenedParts(parts: readonly string[], width: number): ReadonlyMap<string, string> {
  const equals = parts[0]!.indexOf('=') + 1
  const [name, values] = [
    parts[0]!.slice(0, Math.max(0, equals - 1)),
    parts.map((part) => part.slice(equals)),
  ]
  if (widestOf(parts) <= width) return new Map(parts.map((part) => [part, part]))
  const apart = withoutSharedEnds(values)
  // The last key of a path says most.
  const key = name.slice(name.lastIndexOf('.') + 1)
  const shortName = equals === 0 ? '' : `${truncate(key, Math.max(2, width - 1 - widestOf(apart)), 1)}=`
  const space = Math.max(1, width - terminalWidth(shortName))
  const shortValues = widestOf(apart) <= space ? apart : shortenedValues(values, space)
  return new Map(parts.map((part, index) => [part, `${shortName}${shortValues[index]}`]))
}

/** Cuts different values at the same place, where they stay different if there is one. */
function shortenedValues(values: readonly string[], width: number): readonly string[] {
  const candidates = startShares.map((startShare) =>
    values.map((value) => truncate(value, width, startShare)),
  )
  return candidates.find((candidate) => new Set(candidate).size === values.length) ?? candidates[0]!
}

/** Replaces the ends that lists share by "…": "784-12-4", "784-12-8" → "…4", "…8". */
function withoutSharedEnds(values: readonly string[]): readonly string[] {
  const lists = values.map((value) => value.split('-'))
  const shortest = Math.min(...lists.map(({ length }) => length)) - 1
  const sharedCount = (at: (list: readonly string[], index: number) => string | undefined) => {
    let count = 0
    while (count < shortest && new Set(lists.map((list) => at(list, count))).size === 1) count++
    return count
  }
  const start = sharedCount((list, index) => list[index])
  const end = Math.min(
    shortest - start,
    sharedCount((list, index) => list.at(-1 - index)),
  )
  return lists.map(
    (list) => `${start > 0 ? '…' : ''}${list.slice(start, list.length - end).join('-')}${end > 0 ? '…' : ''}`,
  )
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
  while (kept.length > 0 && terminalWidth(kept.join('')) > width) kept = kept.slice(0, -1)
  return kept
}
