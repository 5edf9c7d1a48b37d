/** The font of the pictures: its files for PNGs, its widths for the layout, and the part of it that an SVG embeds. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../package-root.js'

export const fontName = 'Source Sans 3'

/** For CSS, where a name with a word that starts with a digit must be quoted, or the whole list is invalid. */
export const fontFamily = `'${fontName}', sans-serif`

type Weight = 400 | 600

/** A part of the font without hinting and kerning, made by scripts/font-data.mjs. */
interface FontData {
  /** In base64. */
  readonly woff2: string
  /** Advance widths in font units of characters with adjacent code points, by the first code point. */
  readonly widths: Readonly<Record<number, readonly number[]>>
}

const fontData: Readonly<Record<Weight, FontData>> = JSON.parse(
  readFileSync(join(packageRoot, 'assets', 'font.json'), 'utf8'),
)
const unitsPerEm = 1000

// The machine may have no font at all, so the pictures bring the font of a package.
const { resolve } = createRequire(import.meta.url)

export const fontFiles: readonly string[] = [
  resolve('@expo-google-fonts/source-sans-3/400Regular/SourceSans3_400Regular.ttf'),
  resolve('@expo-google-fonts/source-sans-3/600SemiBold/SourceSans3_600SemiBold.ttf'),
]

const widths = { 400: widthsOf(400), 600: widthsOf(600) }

function widthsOf(weight: Weight): ReadonlyMap<number, number> {
  const runs = Object.entries(fontData[weight].widths)
  return new Map(runs.flatMap(([first, run]) => run.map((width, index) => [Number(first) + index, width])))
}

/**
 * Returns the width of a line of text in pixels, without kerning. Characters of other scripts, which another font draws,
 * count as wide as Chinese ones, so that they have space enough.
 * @param size the font size in pixels
 */
export function textWidth(text: string, size: number, weight: Weight = 400): number {
  const units = Array.from(text, (each) => widths[weight].get(each.codePointAt(0)!) ?? unitsPerEm)
  return (units.reduce((sum, width) => sum + width, 0) / unitsPerEm) * size
}

/**
 * Returns a style element with the weights of the font that an SVG uses, 18 KB each, so that it looks the same where the
 * font is not installed.
 */
export function embeddedFont(svg: string): string {
  const used = Array.from(svg.matchAll(/<text[^>]*>/g), ([tag]) =>
    /font-weight="(600|bold)"/.test(tag) ? 600 : 400,
  )
  const faces = ([400, 600] as const)
    .filter((weight) => used.includes(weight))
    .map(
      (weight) =>
        `@font-face{font-family:'${fontName}';font-weight:${weight};src:url(data:font/woff2;base64,${fontData[weight].woff2}) format('woff2')}`,
    )
  return faces.length === 0 ? '' : `<style>${faces.join('')}</style>`
}
