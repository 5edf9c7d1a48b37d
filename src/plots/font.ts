/** The font of the pictures: its files for PNGs, its widths for the layout, and the part of it that an SVG embeds. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Face, Font, Blob as FontBlob, Buffer as ShapingBuffer, shape } from 'harfbuzzjs'

export const fontName = 'Source Sans 3'

/** For CSS, where a name with a word that starts with a digit must be quoted, or the whole list is invalid. */
export const fontFamily = `'${fontName}', sans-serif`

type Weight = 400 | 600

// The machine may have no font at all, so the pictures bring the font of a package.
const { resolve } = createRequire(import.meta.url)
const files: Readonly<Record<Weight, string>> = {
  400: resolve('@expo-google-fonts/source-sans-3/400Regular/SourceSans3_400Regular.ttf'),
  600: resolve('@expo-google-fonts/source-sans-3/600SemiBold/SourceSans3_600SemiBold.ttf'),
}

export const fontFiles: readonly string[] = Object.values(files)

const fonts = new Map<Weight, { readonly font: Font; readonly unitsPerEm: number }>()
const widths = new Map<string, number>()

/** Returns the width of a line of text in pixels. @param size the font size in pixels */
export function textWidth(text: string, size: number, weight: Weight = 400): number {
  const key = `${weight} ${text}`
  const known = widths.get(key)
  if (known !== undefined) return known * size
  const { font, unitsPerEm } = loadFont(weight)
  const buffer = new ShapingBuffer()
  buffer.addText(text)
  buffer.guessSegmentProperties()
  shape(font, buffer)
  const width = buffer.getGlyphPositions().reduce((sum, { xAdvance }) => sum + xAdvance, 0) / unitsPerEm
  widths.set(key, width)
  return width * size
}

function loadFont(weight: Weight) {
  const known = fonts.get(weight)
  if (known !== undefined) return known
  const bytes = readFileSync(files[weight])
  const face = new Face(new FontBlob(new Uint8Array(bytes).buffer), 0)
  const loaded = { font: new Font(face), unitsPerEm: face.upem }
  fonts.set(weight, loaded)
  return loaded
}

/**
 * Returns a style element with the glyphs that an SVG uses, about 6 KB a weight, so that it looks the same where the font
 * is not installed. Ligatures and kerning are left out.
 */
export async function embeddedFont(svg: string): Promise<string> {
  const characters: Record<Weight, Set<number>> = { 400: new Set(), 600: new Set() }
  for (const [, attributes, text] of svg.matchAll(/<text([^>]*)>([^<]*)<\/text>/g)) {
    const used = characters[/font-weight="(600|bold)"/.test(attributes!) ? 600 : 400]
    // Entities add a few characters of their names, which does no harm.
    for (const character of text!) used.add(character.codePointAt(0)!)
    for (const character of '<>&"\'') used.add(character.codePointAt(0)!)
  }
  const hb = await loadSubsetter()
  const faces = ([400, 600] as const)
    .filter((weight) => characters[weight].size > 0)
    .map((weight) => {
      const data = Buffer.from(subset(hb, weight, characters[weight])).toString('base64')
      return `@font-face{font-family:'${fontName}';font-weight:${weight};src:url(data:font/ttf;base64,${data}) format('truetype')}`
    })
  return faces.length === 0 ? '' : `<style>${faces.join('')}</style>`
}

/** The functions of HarfBuzz (hb-subset.h) that cut a font down; pointers are numbers. */
interface Subsetter {
  readonly memory: { readonly buffer: ArrayBuffer }
  _initialize(): void
  malloc(bytes: number): number
  free(pointer: number): void
  hb_blob_create(data: number, length: number, mode: number, userData: number, destroy: number): number
  hb_blob_destroy(blob: number): void
  hb_blob_get_data(blob: number, length: number): number
  hb_blob_get_length(blob: number): number
  hb_face_create(blob: number, index: number): number
  hb_face_destroy(face: number): void
  hb_face_reference_blob(face: number): number
  hb_set_add(set: number, value: number): void
  hb_set_clear(set: number): void
  hb_subset_input_create_or_fail(): number
  hb_subset_input_destroy(input: number): void
  hb_subset_input_set(input: number, kind: number): number
  hb_subset_input_set_flags(input: number, flags: number): void
  hb_subset_input_unicode_set(input: number): number
  hb_subset_or_fail(face: number, input: number): number
}

// Constants of hb.h and hb-subset.h.
const readOnlyMemory = 1
const nameIds = 4
const layoutFeatures = 6
const noHinting = 0x1
const noLayoutClosure = 0x200

let subsetter: Promise<Subsetter> | undefined

function loadSubsetter(): Promise<Subsetter> {
  subsetter ??= startSubsetter()
  return subsetter
}

async function startSubsetter(): Promise<Subsetter> {
  const module = await WebAssembly.compile(readFileSync(resolve('harfbuzzjs/dist/harfbuzz-subset.wasm')))
  const hb = new WebAssembly.Instance(module, {}).exports as unknown as Subsetter
  hb._initialize()
  return hb
}

/** Returns a TrueType font with the glyphs of the given code points. */
function subset(hb: Subsetter, weight: Weight, codePoints: Iterable<number>): Uint8Array {
  const font = readFileSync(files[weight])
  const data = hb.malloc(font.length)
  new Uint8Array(hb.memory.buffer).set(font, data)
  const blob = hb.hb_blob_create(data, font.length, readOnlyMemory, 0, 0)
  const face = hb.hb_face_create(blob, 0)
  const input = hb.hb_subset_input_create_or_fail()
  hb.hb_set_clear(hb.hb_subset_input_set(input, layoutFeatures))
  hb.hb_set_clear(hb.hb_subset_input_set(input, nameIds))
  hb.hb_subset_input_set_flags(input, noHinting | noLayoutClosure)
  const kept = hb.hb_subset_input_unicode_set(input)
  for (const codePoint of codePoints) hb.hb_set_add(kept, codePoint)
  const small = hb.hb_subset_or_fail(face, input)
  const result = hb.hb_face_reference_blob(small)
  const start = hb.hb_blob_get_data(result, 0)
  const bytes = new Uint8Array(hb.memory.buffer).slice(start, start + hb.hb_blob_get_length(result))
  for (const each of [result, blob]) hb.hb_blob_destroy(each)
  for (const each of [small, face]) hb.hb_face_destroy(each)
  hb.hb_subset_input_destroy(input)
  hb.free(data)
  return bytes
}
