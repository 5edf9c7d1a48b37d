/** How a chart becomes files: Vega-Lite → SVG → PNG. No browser is needed. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as vega from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { EigenaeError, withFileErrors } from '../errors.js'
import { isOurs, type Output, pictureMark, signature } from '../files/own-files.js'
import { type NamedContent, syncFolder } from '../files/write.js'
import { escapeControls } from '../text/format.js'
import { type Chart, fileSpec } from './chart.js'
import { encodePng } from './encode-png.js'
import { embeddedFont, fontFamily, fontFiles, fontName, textWidth } from './font.js'
import type { Still } from './model-pictures.js'
import { type Scheme, themeOf } from './theme.js'

const labelLimit = 230

const picturesAtOnce = 2

/** Returns each chart as an SVG and a PNG file. */
export async function chartFiles(
  charts: readonly Chart[],
  scheme: Scheme = 'light',
): Promise<readonly NamedContent[]> {
  // A PNG is made on another thread while the next SVG is made. To save memory, not all are made at once.
  const made: Promise<readonly NamedContent[]>[] = []
  for (const chart of charts) {
    const svg = await svgOf(chart, scheme)
    await made.at(-picturesAtOnce)
    const picture = pictureOf(chart.name, svg)
    // The failure is thrown where the picture is awaited. Without a handler, Node would end the process first.
    picture.catch(() => undefined)
    made.push(picture)
  }
  return (await Promise.all(made)).flat()
}

/** Returns pictures that are not charts as SVG and PNG files. */
export async function stillFiles(stills: readonly Still[]): Promise<readonly NamedContent[]> {
  const files: NamedContent[] = []
  for (const { name, svg } of stills) files.push(...(await pictureOf(name, svg)))
  return files
}

/** Returns the files of pictures in a folder, with the marks that recognise earlier ones. */
export function pictureOutputs(folder: string, names: readonly string[]): readonly Output[] {
  const files = names.flatMap(pictureFiles).map((name) => join(folder, name))
  return files.map((file) => ({ file, mark: pictureMark(file) }))
}

/** Removes pictures of earlier data: those among `names` that eigenae wrote before, but not this time. */
export async function removeStalePictures(
  folder: string,
  names: readonly string[],
  written: readonly NamedContent[],
): Promise<void> {
  const kept = written.map(({ file }) => join(folder, file))
  const stale = pictureOutputs(folder, names).filter((each) => !kept.includes(each.file) && isOurs(each))
  for (const { file } of stale) await withFileErrors('remove', file, () => rm(file))
  await syncFolder(folder)
}

/** Returns an SVG and its PNG. Control characters in names of runs, which XML forbids, are made visible. */
async function pictureOf(name: string, drawn: string): Promise<readonly NamedContent[]> {
  const svg = escapeControls(drawn)
  const [svgFile, pngFile] = pictureFiles(name)
  const font = embeddedFont(svg)
  const marked = svg.replace(/^<svg ([^>]*)>/, `<svg data-generator="${signature}" $1>${font}`)
  return [
    { file: svgFile, content: marked },
    { file: pngFile, content: await pngOf(svg) },
  ]
}

export function pictureFiles(name: string): readonly [svg: string, png: string] {
  return [`${name}.svg`, `${name}.png`]
}

/** Returns a chart as SVG. */
async function svgOf(chart: Chart, scheme: Scheme): Promise<string> {
  const config = { ...themeOf(scheme, fontFamily, labelLimit), aria: false }
  const spec = { ...fileSpec(chart), config } as unknown as TopLevelSpec
  measureWithFont()
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

/** Without a canvas, Vega overestimates the width of texts by about half. Its types lack the measures of texts. */
function measureWithFont(): void {
  type Item = { readonly fontSize?: number; readonly fontWeight?: number | string }
  const measures = vega as unknown as { textMetrics: { width: (item: Item, text: string) => number } }
  measures.textMetrics.width = ({ fontSize = 11, fontWeight }, text) =>
    textWidth(String(text ?? ''), fontSize, fontWeight === 600 || fontWeight === 'bold' ? 600 : 400)
}

// Characters beyond Latin, Greek, Cyrillic and the symbols of charts, which the font lacks.
const uncovered = /[^\p{ASCII}\u0080-\u04ff\u1e00-\u1eff\u2000-\u22ff\ufffd]/u

const pixelsPerUnit = 2

/** Loads resvg only if a PNG is wanted: its binary is an optional package that no other command needs. */
export async function loadRenderer() {
  try {
    return (await import('@resvg/resvg-js')).renderAsync
  } catch (cause) {
    throw new EigenaeError({
      problem: 'cannot draw PNG files: the binary of @resvg/resvg-js for this machine is not installed',
      hint: 'Reinstall without --omit=optional, which makes npm leave it out.',
      cause,
    })
  }
}

/** Renders an SVG for high-density screens. Only names in other scripts use the machine's fonts. */
async function pngOf(svg: string): Promise<Uint8Array> {
  const font = {
    loadSystemFonts: uncovered.test(svg),
    fontFiles: [...fontFiles],
    defaultFontFamily: fontName,
    sansSerifFamily: fontName,
  }
  const renderAsync = await loadRenderer()
  const { pixels, width } = await renderAsync(svg, { font, fitTo: { mode: 'zoom', value: pixelsPerUnit } })
  // resvg's own asPng() would compress on this thread.
  return encodePng(pixels, width, 'rgba')
}
