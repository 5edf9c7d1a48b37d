import type { Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { principalPlane } from '../spectrum/principal-directions.js'
import { type Chart, rowMargin } from './chart.js'
import { distinctLabels, labelColor, type Scheme } from './theme.js'

const shownImages = 2000

/** Draws the embedding of test images. Each point is its label, so the chart is readable in black and white. */
export async function embeddingChart(
  trainer: Trainer,
  { images, labels }: Split,
  latent: number,
  scheme: Scheme,
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
            range: shownLabels.map((label) => labelColor(scheme, label)),
          },
          legend: null,
        },
      },
    },
  }
}
