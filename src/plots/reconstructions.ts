import type { Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { evaluationNoise } from '../model/evaluation-noise.js'
import { distinctLabels } from '../pages/labels.js'
import { pngFile } from './png-file.js'
import { fontFamily } from './raster.js'

// EMNIST's 26 letters fit.
const mostLabels = 32
const side = 28
const gap = 4
const zoom = 2
const rows = ['original', 'noisy input', 'reconstruction'] as const

/** The first test image of each label, with the evaluations' noise, and what the network makes of it: an SVG. */
export async function reconstructionGrid(trainer: Trainer, test: Split, deviation: number): Promise<string> {
  const chosen = distinctLabels(test.labels)
    .slice(0, mostLabels)
    .map((label) => test.labels.indexOf(label))
  const { pixelsPerImage } = test.images
  const noisy = new Float32Array(chosen.length * pixelsPerImage)
  const clean = new Float32Array(noisy.length)
  for (const [place, image] of chosen.entries()) {
    const noise = evaluationNoise(image, pixelsPerImage, deviation)
    const pixels = test.images.pixels.subarray(image * pixelsPerImage, (image + 1) * pixelsPerImage)
    clean.set(
      Array.from(pixels, (value) => value / 255),
      place * pixelsPerImage,
    )
    noisy.set(
      noise.map((value, i) => value + pixels[i]! / 255),
      place * pixelsPerImage,
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
  const image = (await pngFile(sheet, width * zoom, 'gray')).toString('base64')
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

/** All images in one, enlarged pixel by pixel, dark on white as on paper. */
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
