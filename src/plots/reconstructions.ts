/** Pictures of images and their reconstructions by one or several models. */
import type { Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { fillEvaluationNoise } from '../model/random.js'
import { escapeHtml } from '../text/format.js'
import { encodePng } from './encode-png.js'
import { fontFamily, textWidth } from './font.js'
import { armColor, distinctLabels, pictureInks, type Scheme } from './theme.js'

/** A picture that is no chart. */
export interface Still {
  /** The name of its files without the extension. */
  readonly name: string
  readonly title: string
  readonly caption: string
  readonly scheme: Scheme
  readonly svg: string
}

/** Test images with the evaluations' noise. Pixels are [count][pixels], clean ones from 0 to 1. */
export interface Samples {
  readonly count: number
  readonly pixels: number
  readonly clean: Float32Array
  readonly noisy: Float32Array
}

/** A model's outputs for the samples, [count][pixels]. */
export interface Reconstruction {
  /** The label of its arm. */
  readonly label: string
  readonly output: Float32Array
}

// Enough for EMNIST's 26 letters.
const mostLabels = 32

/** Returns the first test image of each label. */
export function oneOfEachLabel({ labels }: Split): readonly number[] {
  return distinctLabels(labels)
    .slice(0, mostLabels)
    .map((label) => labels.indexOf(label))
}

/** The images among which the worst ones are searched: enough to find rare failures, and reconstructed in a second. */
export const searchedImages = 2000

export function samplesOf({ images }: Split, chosen: readonly number[], deviation: number): Samples {
  const { pixelsPerImage: pixels } = images
  const clean = new Float32Array(chosen.length * pixels)
  const noisy = new Float32Array(clean.length)
  const noise = new Float32Array(pixels)
  for (const [place, image] of chosen.entries()) {
    fillEvaluationNoise(noise, image, deviation, 0)
    for (let pixel = 0; pixel < pixels; pixel++) {
      const value = images.pixels[image * pixels + pixel]! / 255
      clean[place * pixels + pixel] = value
      noisy[place * pixels + pixel] = value + noise[pixel]!
    }
  }
  return { count: chosen.length, pixels, clean, noisy }
}

export async function reconstruct(
  trainer: Trainer,
  label: string,
  { noisy }: Samples,
): Promise<Reconstruction> {
  return { label, output: await trainer.reconstruct(noisy) }
}

/** Returns the mean squared error of each image, [count]. */
export function errorsOf({ output }: Reconstruction, { count, pixels, clean }: Samples): readonly number[] {
  return Array.from({ length: count }, (_, image) => {
    let sum = 0
    for (let i = image * pixels; i < (image + 1) * pixels; i++) sum += (output[i]! - clean[i]!) ** 2
    return sum / pixels
  })
}

const worstCount = 12

/** Returns the places of the samples with the largest error, averaged over the models, the worst first. */
export function worstSamples(
  reconstructions: readonly Reconstruction[],
  samples: Samples,
): readonly number[] {
  const errors = reconstructions.map((each) => errorsOf(each, samples))
  const sums = Array.from({ length: samples.count }, (_, image) =>
    errors.reduce((sum, each) => sum + each[image]!, 0),
  )
  return [...sums.keys()].sort((a, b) => sums[b]! - sums[a]!).slice(0, worstCount)
}

/** Returns the samples, or a model's outputs for them, at some places. */
export function pickSamples(samples: Samples, places: readonly number[]): Samples {
  const { pixels } = samples
  const [clean, noisy] = [samples.clean, samples.noisy].map((each) => pick(each, pixels, places))
  return { count: places.length, pixels, clean: clean!, noisy: noisy! }
}

export function pickOutputs(
  { label, output }: Reconstruction,
  pixels: number,
  places: readonly number[],
): Reconstruction {
  return { label, output: pick(output, pixels, places) }
}

function pick(values: Float32Array, pixels: number, places: readonly number[]): Float32Array {
  const picked = new Float32Array(places.length * pixels)
  for (const [to, from] of places.entries())
    picked.set(values.subarray(from * pixels, (from + 1) * pixels), to * pixels)
  return picked
}

/** A row of images, [count][pixels]. */
interface Row {
  readonly text: string
  readonly color: string
  readonly images: Float32Array
  /** The mean squared error of each image, which is written below it; null for none. */
  readonly errors: readonly number[] | null
}

const gap = 4
const errorHeight = 12
const fontSize = 13

export interface GridOptions {
  readonly title: string
  readonly scheme: Scheme
  /** Whether the error of each reconstruction is written below it. */
  readonly withErrors: boolean
}

/** Returns an SVG with a row of originals, of noisy inputs, and of each model's reconstructions. */
export async function reconstructionGrid(
  samples: Samples,
  reconstructions: readonly Reconstruction[],
  { title, scheme, withErrors }: GridOptions,
): Promise<string> {
  const { text } = pictureInks(scheme)
  const several = reconstructions.length > 1
  const rows: readonly Row[] = [
    { text: 'original', color: text, images: samples.clean, errors: null },
    { text: 'noisy input', color: text, images: samples.noisy, errors: null },
    ...reconstructions.map((each, arm) => ({
      text: several ? each.label : 'reconstruction',
      color: several ? armColor(scheme, arm) : text,
      images: each.output,
      errors: withErrors ? errorsOf(each, samples) : null,
    })),
  ]
  return gridSvg(rows, samples, title, scheme)
}

async function gridSvg(
  rows: readonly Row[],
  { count, pixels }: Samples,
  title: string,
  scheme: Scheme,
): Promise<string> {
  const { background, text } = pictureInks(scheme)
  const side = Math.round(Math.sqrt(pixels))
  // Large enough to see, and the same whatever the size of the images.
  const zoom = Math.max(1, Math.round(56 / side))
  const cell = side * zoom
  const left = 20 + Math.ceil(Math.max(...rows.map((row) => textWidth(row.text, fontSize))))
  let top = 36
  const parts: string[] = []
  for (const row of rows) {
    const sheet = sheetOf(row.images, count, side, zoom, scheme)
    const width = count * (cell + gap) - gap
    const image = (await encodePng(sheet, width, 'gray')).toString('base64')
    parts.push(
      `<text x="${left - 10}" y="${top + cell / 2}" text-anchor="end" dy="4" fill="${row.color}">${escapeHtml(row.text)}</text>`,
      `<image x="${left}" y="${top}" width="${width}" height="${cell}" href="data:image/png;base64,${image}"/>`,
    )
    top += cell + gap
    for (const [column, error] of (row.errors ?? []).entries())
      parts.push(
        `<text x="${left + column * (cell + gap) + cell / 2}" y="${top + errorHeight - 5}" text-anchor="middle" font-size="10">${error.toFixed(3).replace(/^0/, '')}</text>`,
      )
    if (row.errors !== null) top += errorHeight
  }
  const width = left + Math.max(count * (cell + gap) - gap, textWidth(title, 14, 600) - left) + 10
  const size = { width: Math.ceil(width), height: top + 8 }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="${fontFamily}" font-size="${fontSize}" fill="${text}">
<rect width="100%" height="100%" fill="${background}"/>
<text x="8" y="20" font-size="14" font-weight="600">${escapeHtml(title)}</text>
${parts.join('\n')}
</svg>
`
}

// The brightness of an image's background and ink: dark on white as on paper, or light on a dark page.
const inkOf = { light: { paper: 255, ink: 0 }, dark: { paper: 24, ink: 255 } } as const

/** Returns the enlarged images side by side as one, [height][width]. */
function sheetOf(
  images: Float32Array,
  count: number,
  side: number,
  zoom: number,
  scheme: Scheme,
): Uint8Array {
  const { paper, ink } = inkOf[scheme]
  const cell = side * zoom
  const width = count * (cell + gap) - gap
  const sheet = new Uint8Array(width * cell).fill(paper)
  for (let column = 0; column < count; column++) {
    const image = images.subarray(column * side * side, (column + 1) * side * side)
    for (let y = 0; y < cell; y++) {
      for (let x = 0; x < cell; x++) {
        const value = Math.min(1, Math.max(0, image[Math.floor(y / zoom) * side + Math.floor(x / zoom)]!))
        sheet[y * width + column * (cell + gap) + x] = Math.round(paper + value * (ink - paper))
      }
    }
  }
  return sheet
}
