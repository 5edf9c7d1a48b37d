/** How a chart becomes files: Vega-Lite → SVG → PNG. No browser is needed. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { EigenaeError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { pngText, signature } from '../files/own-files.js'
import { writeAtomically } from '../files/write.js'
import { themeOf } from '../pages/theme.js'
import { escapeControls } from '../text/format.js'
import { applyLayout, type Chart } from './chart.js'

const fontName = 'Source Sans 3'

/** For CSS, where a name with a word that starts with a digit must be quoted, or the whole list is invalid. */
export const fontFamily = `'${fontName}', sans-serif`

// Without a browser, Vega overestimates the width of texts by about half.
const labelLimit = 280

const picturesAtOnce = 2

/** Writes each chart as SVG and PNG and returns the names of the files. */
export async function writeCharts(folder: string, charts: readonly Chart[]): Promise<readonly string[]> {
  await makeFolder(folder)
  // A PNG is made on another thread while the next SVG is made. To save memory, not all are made at once.
  const written: Promise<readonly string[]>[] = []
  for (const chart of charts) {
    const svg = await svgOf(chart)
    await written.at(-picturesAtOnce)
    const picture = writePicture(folder, chart.name, svg)
    // The failure is thrown where the picture is awaited. Without a handler, Node would end the process first.
    picture.catch(() => undefined)
    written.push(picture)
  }
  return (await Promise.all(written)).flat()
}

/** Writes an SVG and its PNG. Control characters in names of runs, which XML forbids, are made visible. */
export async function writePicture(folder: string, name: string, drawn: string): Promise<readonly string[]> {
  const svg = escapeControls(drawn)
  const [svgFile, pngFile] = pictureFiles(name)
  await writeAtomically(join(folder, svgFile), svg.replace('<svg ', `<svg data-generator="${signature}" `))
  await writeAtomically(join(folder, pngFile), await pngOf(svg))
  return [svgFile, pngFile]
}

export function pictureFiles(name: string): readonly [svg: string, png: string] {
  return [`${name}.svg`, `${name}.png`]
}

async function svgOf(chart: Chart): Promise<string> {
  const config = { ...themeOf('light', fontFamily, labelLimit), aria: false }
  const spec = { ...applyLayout(chart), title: chart.title, config } as unknown as TopLevelSpec
  const view = new View(parse(compile(spec).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

// resvg silently omits all text if it has no font, so it gets the font of a package.
const { resolve } = createRequire(import.meta.url)
const fontFiles = ['400Regular', '600SemiBold'].map((style) =>
  resolve(`@expo-google-fonts/source-sans-3/${style}/SourceSans3_${style}.ttf`),
)

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

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const colorTypes = { gray: { code: 0, channels: 1 }, rgba: { code: 6, channels: 4 } } as const

/** Encodes pixels [height][width][channels] of 0 to 255 as a PNG (ISO/IEC 15948). Another thread compresses them. */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  kind: keyof typeof colorTypes,
): Promise<Buffer> {
  const { code, channels } = colorTypes[kind]
  const lineLength = width * channels
  const height = pixels.length / lineLength
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, code, 0, 0, 0], 8)
  // Each line starts with the number of its filter: 0, none.
  const lines = Buffer.alloc(height * (lineLength + 1))
  for (let y = 0; y < height; y++) {
    lines.set(pixels.subarray(y * lineLength, (y + 1) * lineLength), y * (lineLength + 1) + 1)
  }
  return Buffer.concat([
    pngSignature,
    pngChunk('IHDR', header),
    pngChunk('tEXt', Buffer.from(pngText, 'latin1')),
    pngChunk('IDAT', await promisify(deflate)(lines)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const bytes = Buffer.alloc(4 + body.length + 4)
  bytes.writeUInt32BE(content.length)
  body.copy(bytes, 4)
  bytes.writeUInt32BE(crc32(body), 4 + body.length)
  return bytes
}

/** The CRC of IEEE 802.3, bit by bit, because zlib.crc32 needs Node 20.15. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
