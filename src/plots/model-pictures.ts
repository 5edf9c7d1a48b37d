/** The pictures of trained models: images with their reconstructions, and the embedding. */

import type { Arm } from '../comparison/comparison.js'
import type { Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { firstLine, knownError } from '../errors.js'
import { type ImageShape, shapeText } from '../model/architecture.js'
import { evaluationNoise } from '../model/random.js'
import type { WholeRun } from '../runs/read.js'
import { principalPlane } from '../spectrum/principal-directions.js'
import { escapeHtml } from '../text/format.js'
import { onOneCore, readTrainedState, type TrainedRun, withTrainer } from '../training/trained-model.js'
import { loadDataFor, sourceOfRun } from '../training/training-data.js'
import { type Chart, numbers, rowMargin } from './chart.js'
import { encodePng } from './encode-png.js'
import { fontFamily, textWidth } from './font.js'
import { armColor, distinctLabels, labelColor, pictureInks, type Scheme } from './theme.js'

/** A picture that is no chart. */
export interface Still {
  /** The name of its files without the extension. */
  readonly name: string
  readonly title: string
  readonly caption: string
  readonly scheme: Scheme
  readonly svg: string
}

/** The names of the stills. */
export const modelStills = ['reconstructions', 'worst-reconstructions'] as const

interface StillOptions extends Pick<Chart, 'subject' | 'subtitle'> {
  readonly scheme: Scheme
}

interface TrainedArm extends TrainedRun {
  readonly label: string
}

/**
 * Draws reconstructions by the first run of each arm, side by side. Arms without a model are left out; the notes name them
 * with the reasons.
 */
export async function drawModelStills(arms: readonly Arm[], options: StillOptions) {
  const notes: string[] = []
  /** Returns null and leaves a note if a model cannot be used. */
  const orNote = async <T>(make: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await make()
    } catch (error) {
      notes.push(`no reconstructions: ${firstLine(knownError(error))}`)
      return null
    }
  }
  const trained: TrainedArm[] = []
  for (const { label, runs } of arms) {
    const [run] = runs as readonly [WholeRun]
    await orNote(() => {
      const state = readTrainedState(run)
      if (state !== null) trained.push({ label, run, ...state })
      else notes.push(`${run.folder}: no reconstructions because it has no model`)
    })
  }
  const stills = trained.length === 0 ? null : await orNote(() => stillsOf(trained, options, notes))
  return { stills: stills ?? [], notes }
}

// The images among which the worst ones are searched: enough to find rare failures, and reconstructed in a second.
const searchedImages = 2000

/** All arms reconstruct the images and the noise of the first one. */
async function stillsOf(
  arms: readonly TrainedArm[],
  { scheme, subject, subtitle = [] }: StillOptions,
  notes: string[],
): Promise<readonly Still[]> {
  const [first] = arms as readonly [TrainedArm]
  const dataOf = ({ run }: TrainedArm) => `${sourceOfRun(run)} ${shapeText(run.record.imageShape)}`
  const { test } = await loadDataFor(first.run)
  const alike = arms.filter((arm) => dataOf(arm) === dataOf(first))
  for (const { run } of arms.filter((arm) => !alike.includes(arm)))
    notes.push(
      `${run.folder}: no reconstructions because it was trained on different data from ${first.label}`,
    )
  const count = Math.min(searchedImages, test.images.count)
  const firstOfEach = distinctLabels(test.labels).map((label) => test.labels.indexOf(label))
  const labelled = samplesOf(test, firstOfEach, first.run.config.data.noise)
  const searched = samplesOf(test, [...Array(count).keys()], first.run.config.data.noise)
  const outputs: { readonly labelled: Outputs; readonly searched: Outputs }[] = []
  for (const { run, state } of alike)
    outputs.push(
      await withTrainer(run.config, state, onOneCore, async (trainer) => ({
        labelled: await reconstruct(trainer, labelled),
        searched: await reconstruct(trainer, searched),
      })),
    )
  const places = worstOf(outputs.map((each) => errorsOf(each.searched, searched)))
  const several = alike.length > 1
  const eachArm = several ? ' Each arm is drawn with its first run.' : ''
  const { text } = pictureInks(scheme)
  /** Draws a row of originals, of noisy inputs, and of each model's reconstructions. */
  const draw = (
    title: string,
    samples: readonly NoisyImage[],
    images: readonly Outputs[],
    withErrors: boolean,
  ) =>
    gridSvg(
      [
        { text: 'original', color: text, images: samples.map(({ clean }) => clean), errors: [] },
        { text: 'noisy input', color: text, images: samples.map(({ noisy }) => noisy), errors: [] },
        ...images.map((each, arm) => ({
          text: several ? alike[arm]!.label : 'reconstruction',
          color: several ? armColor(scheme, arm) : text,
          images: each,
          errors: withErrors ? errorsOf(each, samples) : [],
        })),
      ],
      test.images.shape,
      [subject === undefined ? title : `${title}: ${subject}`, ...subtitle],
      scheme,
    )
  const title = 'Test images and their reconstructions'
  const worst = places.map((place) => searched[place]!)
  const worstOutputs = outputs.map((each) => places.map((place) => each.searched[place]!))
  return [
    {
      name: modelStills[0],
      scheme,
      title,
      caption: `The first test image of each label, the same image with the noise of evaluations, and its reconstruction.${eachArm}`,
      svg: await draw(
        title,
        labelled,
        outputs.map((each) => each.labelled),
        false,
      ),
    },
    {
      name: modelStills[1],
      scheme,
      title: 'Worst reconstructions',
      caption: `Of the first ${count} test images, those with the largest mean squared error (below each image)${several ? ', averaged over the arms' : ''}.${eachArm}`,
      svg: await draw(`Worst reconstructions of ${count} test images`, worst, worstOutputs, true),
    },
  ]
}

/** A test image, 0 to 1, and the same with the noise of the evaluations. */
interface NoisyImage {
  readonly clean: Float32Array
  readonly noisy: Float32Array
}

/** A model's output for each sample. */
type Outputs = readonly Float32Array[]

function samplesOf(
  { images: { pixels, pixelsPerImage } }: Split,
  chosen: readonly number[],
  deviation: number,
): readonly NoisyImage[] {
  return chosen.map((image) => {
    const noise = evaluationNoise(image, pixelsPerImage, deviation)
    const bytes = pixels.subarray(image * pixelsPerImage, (image + 1) * pixelsPerImage)
    return {
      clean: Float32Array.from(bytes, (value) => value / 255),
      noisy: Float32Array.from(bytes, (value, pixel) => value / 255 + noise[pixel]!),
    }
  })
}

async function reconstruct(trainer: Trainer, samples: readonly NoisyImage[]): Promise<Outputs> {
  const pixels = samples[0]!.noisy.length
  const noisy = new Float32Array(samples.length * pixels)
  for (const [place, sample] of samples.entries()) noisy.set(sample.noisy, place * pixels)
  const output = await trainer.reconstruct(noisy)
  return samples.map((_, place) => output.subarray(place * pixels, (place + 1) * pixels))
}

/** Returns the mean squared error of each image. */
export function errorsOf(outputs: Outputs, samples: readonly NoisyImage[]): readonly number[] {
  return samples.map(({ clean }, place) => {
    const output = outputs[place]!
    return clean.reduce((sum, value, pixel) => sum + (output[pixel]! - value) ** 2, 0) / clean.length
  })
}

const worstCount = 12

/** Returns the places of the images with the largest error, averaged over the models, the worst first. */
export function worstOf(errors: readonly (readonly number[])[]): readonly number[] {
  const sums = errors[0]!.map((_, image) => errors.reduce((sum, each) => sum + each[image]!, 0))
  return [...sums.keys()].sort((a, b) => sums[b]! - sums[a]!).slice(0, worstCount)
}

// Images side by side, which fill a page. More continue below.
const mostColumns = 16

/** A row of images. */
interface ImageRow {
  readonly text: string
  readonly color: string
  readonly images: readonly Float32Array[]
  /** The mean squared error of each image, which is written below it; none if empty. */
  readonly errors: readonly number[]
}

const gap = 4
const blockGap = 16
const errorHeight = 12
const fontSize = 13
// Images may be lower than the text beside them.
const lineHeight = 16

async function gridSvg(
  rows: readonly ImageRow[],
  shape: ImageShape,
  [title, ...subtitle]: readonly [string, ...string[]],
  scheme: Scheme,
): Promise<string> {
  const { background, text } = pictureInks(scheme)
  const [{ images }] = rows as readonly [ImageRow]
  // Large enough to see, and the same whatever the size of the images.
  const zoom = Math.max(1, Math.round(56 / Math.max(shape.width, shape.height)))
  const cell = shape.width * zoom
  const height = shape.height * zoom
  const blocks = Math.ceil(images.length / mostColumns)
  const columns = Math.ceil(images.length / blocks)
  const rowWidth = columns * (cell + gap) - gap
  const left = 20 + Math.ceil(Math.max(...rows.map((row) => textWidth(row.text, fontSize))))
  let top = 36 + subtitle.length * lineHeight
  const parts: string[] = []
  for (let start = 0; start < images.length; start += columns) {
    if (start > 0) top += blockGap
    for (const row of rows) {
      const shown = row.images.slice(start, start + columns)
      const shownWidth = shown.length * (cell + gap) - gap
      const sheet = sheetOf(shown, shape, zoom, scheme)
      const image = (await encodePng(sheet, shownWidth, 'gray')).toString('base64')
      parts.push(
        `<text x="${left - 10}" y="${top + height / 2}" text-anchor="end" dy="4" fill="${row.color}">${escapeHtml(row.text)}</text>`,
        `<image x="${left}" y="${top}" width="${shownWidth}" height="${height}" href="data:image/png;base64,${image}"/>`,
      )
      top += Math.max(height, lineHeight) + gap
      for (const [column, error] of row.errors.slice(start, start + columns).entries())
        parts.push(
          `<text x="${left + column * (cell + gap) + cell / 2}" y="${top + errorHeight - 5}" text-anchor="middle" font-size="10">${error.toFixed(3).replace(/^0/, '')}</text>`,
        )
      if (row.errors.length > 0) top += errorHeight
    }
  }
  const texts = [textWidth(title, 14, 600), ...subtitle.map((line) => textWidth(line, 11))]
  const width = Math.ceil(left + Math.max(rowWidth, Math.max(...texts) - left) + 10)
  const bottom = top + 8
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom}" viewBox="0 0 ${width} ${bottom}" font-family="${fontFamily}" font-size="${fontSize}" fill="${text}">
<rect width="100%" height="100%" fill="${background}"/>
<text x="8" y="20" font-size="14" font-weight="600">${escapeHtml(title)}</text>
${subtitle.map((line, index) => `<text x="8" y="${20 + (index + 1) * lineHeight}" font-size="11">${escapeHtml(line)}</text>`).join('\n')}
${parts.join('\n')}
</svg>
`
}

// The brightness of an image's background and ink: dark on white as on paper, or light on a dark page.
const inkOf = { light: { paper: 255, ink: 0 }, dark: { paper: 24, ink: 255 } } as const

/** Returns the enlarged images side by side as one, [height][width]. */
function sheetOf(
  images: readonly Float32Array[],
  shape: ImageShape,
  zoom: number,
  scheme: Scheme,
): Uint8Array {
  const { paper, ink } = inkOf[scheme]
  const cell = shape.width * zoom
  const width = images.length * (cell + gap) - gap
  const sheet = new Uint8Array(width * shape.height * zoom).fill(paper)
  for (const [column, image] of images.entries())
    for (let y = 0; y < shape.height * zoom; y++)
      for (let x = 0; x < cell; x++) {
        const pixel = Math.floor(y / zoom) * shape.width + Math.floor(x / zoom)
        const value = Math.min(1, Math.max(0, image[pixel]!))
        sheet[y * width + column * (cell + gap) + x] = Math.round(paper + value * (ink - paper))
      }
  return sheet
}

const embeddedImages = 2000

/** Draws the embedding of test images. Each point is its label, so the chart is readable in black and white. */
export async function embeddingChart(
  trainer: Trainer,
  { images, labels }: Split,
  latent: number,
  scheme: Scheme,
): Promise<Chart> {
  const count = Math.min(embeddedImages, images.count)
  const embedding = await trainer.encode(images.pixels.subarray(0, count * images.pixelsPerImage))
  const shown = distinctLabels(labels.subarray(0, count))
  const { points, shares } = principalPlane(embedding, latent)
  const along = (field: string, name: string, share: number) => {
    const title = `${name} principal direction (${(100 * share).toFixed(0)} % of the variance)`
    return numbers(field, { axis: { title, tickCount: 6 }, scale: { zero: false } })
  }
  const colors = { domain: shown.map(String), range: shown.map((label) => labelColor(scheme, label)) }
  return {
    name: 'embedding',
    title: 'Embedding of test images',
    caption: `The first ${count} test images, each drawn as its label, along the two directions with the largest variance.`,
    panels: { count: 1, width: 560, height: 520, columns: 1, margin: rowMargin },
    spec: {
      data: { values: points.map(([x, y], image) => ({ x, y, label: String(labels[image]) })) },
      mark: { type: 'text', fontSize: 10, opacity: 0.8 },
      encoding: {
        x: along('x', 'first', shares[0]),
        y: along('y', 'second', shares[1]),
        text: { field: 'label' },
        color: { field: 'label', type: 'nominal', scale: colors, legend: null },
      },
    },
  }
}
