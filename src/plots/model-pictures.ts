/** The pictures of a run that need its trained model. */
import type { Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { evaluationNoise } from '../model/random.js'
import { distinctLabels, labelColor } from '../pages/theme.js'
import { principalPlane } from '../spectrum/principal-directions.js'
import { type Chart, rowMargin } from './chart.js'
import { encodePng, fontFamily } from './render.js'

const shownImages = 2000

/** Draws the embedding of test images. Each point is its label, so the chart is readable in black and white. */
export async function embeddingChart(
  trainer: Trainer,
  { images, labels }: Split,
  latent: number,
): Promise<Chart> {
  const count = Math.min(shownImages, images.count)
  const embedding = await trainer.encode(images.pixels.subarray(0, count * images.pixelsPerImage))
  const shownLabels = distinctLabels(labels.subarray(0, count))
  const { points, shares } = principalPlane(embedding, latent)
  const axis = (field: string, name: string, share: number) => ({
    field,
    type: 'quantitative',
    axis: {
      title: `${name} principal direction (${(100 * share).toFixed(0)} % of the variance)`,
      tickCount: 6,
    },
    scale: { zero: false },
  })
  return {
    name: 'embedding',
    title: 'Embedding of test images',
    caption: `The first ${count} test images, each drawn as its label, along the two directions with the largest variance.`,
    panels: { count: 1, width: 560, height: 520, columns: 1, margin: rowMargin },
    spec: {
      data: { values: points.map(([x, y], image) => ({ x, y, label: String(labels[image]) })) },
      mark: { type: 'text', fontSize: 10, opacity: 0.8 },
      encoding: {
        x: axis('x', 'first', shares[0]),
        y: axis('y', 'second', shares[1]),
        text: { field: 'label' },
        color: {
          field: 'label',
          type: 'nominal',
          scale: {
            domain: shownLabels.map(String),
            range: shownLabels.map((label) => labelColor('light', label)),
          },
          legend: null,
        },
      },
    },
  }
}

// Enough for EMNIST's 26 letters.
const mostLabels = 32
const side = 28
const gap = 4
const zoom = 2
const rows = ['original', 'noisy input', 'reconstruction'] as const

/** Returns an SVG of the first test image of each label, the same with the evaluations' noise, and its reconstruction. */
export async function reconstructionGrid(trainer: Trainer, test: Split, deviation: number): Promise<string> {
  const chosen = distinctLabels(test.labels)
    .slice(0, mostLabels)
    .map((label) => test.labels.indexOf(label))
  const { pixelsPerImage } = test.images
  const noisy = new Float32Array(chosen.length * pixelsPerImage)
  const clean = new Float32Array(noisy.length)
  for (const [column, image] of chosen.entries()) {
    const noise = evaluationNoise(image, pixelsPerImage, deviation)
    const pixels = test.images.pixels.subarray(image * pixelsPerImage, (image + 1) * pixelsPerImage)
    clean.set(
      Array.from(pixels, (value) => value / 255),
      column * pixelsPerImage,
    )
    noisy.set(
      noise.map((value, i) => value + pixels[i]! / 255),
      column * pixelsPerImage,
    )
  }
  return gridSvg([clean, noisy, await trainer.reconstruct(noisy)], chosen.length)
}

async function gridSvg(values: readonly Float32Array[], columns: number): Promise<string> {
  const cell = (side + gap) * zoom
  const left = 110
  const top = 36
  const [width, height] = [columns * (side + gap) - gap, rows.length * (side + gap) - gap]
  const sheet = sheetOf(values, columns, width * zoom, height * zoom)
  const image = (await encodePng(sheet, width * zoom, 'gray')).toString('base64')
  const labels = rows.map(
    (row, index) =>
      `<text x="${left - 10}" y="${top + index * cell + side}" text-anchor="end" dy="4">${row}</text>`,
  )
  const total = { width: left + width * zoom + 10, height: top + height * zoom + 10 }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}" viewBox="0 0 ${total.width} ${total.height}" font-family="${fontFamily}" font-size="13" fill="#1b1b1b">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="20" font-size="14" font-weight="600">Test images and their reconstructions</text>
${labels.join('\n')}
<image x="${left}" y="${top}" width="${width * zoom}" height="${height * zoom}" href="data:image/png;base64,${image}"/>
</svg>
`
}

/** Returns the enlarged images side by side as one, [height][width], dark on white as on paper. */
function sheetOf(
  values: readonly Float32Array[],
  columns: number,
  width: number,
  height: number,
): Uint8Array {
  const sheet = new Uint8Array(width * height).fill(255)
  for (const [row, images] of values.entries()) {
    for (let column = 0; column < columns; column++) {
      const image = images.subarray(column * side * side, (column + 1) * side * side)
      const corner = { x: column * (side + gap) * zoom, y: row * (side + gap) * zoom }
      for (let y = 0; y < side * zoom; y++) {
        for (let x = 0; x < side * zoom; x++) {
          const value = image[Math.floor(y / zoom) * side + Math.floor(x / zoom)]!
          sheet[(corner.y + y) * width + corner.x + x] =
            255 - Math.round(255 * Math.min(1, Math.max(0, value)))
        }
      }
    }
  }
  return sheet
}
