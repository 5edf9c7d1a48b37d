import { createRequire } from 'node:module'
import { EigenaeError } from '../errors.js'
import { pngFile } from './png-file.js'

const fontName = 'Source Sans 3'

/** As CSS takes it: a name with a digit at the start of a word must be quoted, or the whole list is invalid. */
export const fontFamily = `'${fontName}', sans-serif`

// With no font at hand, resvg leaves text out without a word: it is given the one that comes along.
const { resolve } = createRequire(import.meta.url)
const fontFiles = ['400Regular', '600SemiBold'].map((style) =>
  resolve(`@expo-google-fonts/source-sans-3/${style}/SourceSans3_${style}.ttf`),
)

// Beyond Latin, Greek, Cyrillic and the signs that charts use.
const uncovered = /[^\p{ASCII}\u0080-\u04ff\u1e00-\u1eff\u2000-\u22ff\ufffd]/u

const pixelsPerUnit = 2

/** Loaded where a PNG is wanted: its part for the platform is an optional package, and all else goes without. */
export async function loadRenderer() {
  try {
    return (await import('@resvg/resvg-js')).renderAsync
  } catch (cause) {
    throw new EigenaeError({
      problem: 'no PNG can be drawn: the part of @resvg/resvg-js for this machine is not installed',
      hint: 'npm leaves it out after --omit=optional: install without that.',
      cause,
    })
  }
}

/** An SVG as a PNG for high-density screens. Names in other scripts take the machine's fonts. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  const font = {
    loadSystemFonts: uncovered.test(svg),
    fontFiles: [...fontFiles],
    defaultFontFamily: fontName,
    sansSerifFamily: fontName,
  }
  const renderAsync = await loadRenderer()
  const { pixels, width } = await renderAsync(svg, { font, fitTo: { mode: 'zoom', value: pixelsPerUnit } })
  // Not asPng(): it would compress on this thread.
  return pngFile(pixels, width, 'rgba')
}
