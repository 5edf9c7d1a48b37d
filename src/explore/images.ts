import { loadDataSet } from '../data/load.js'
import { usageError } from '../errors.js'
import { inputDimension } from '../model/architecture.js'
import { sourceOfRun } from '../training/training-data.js'
import type { ChosenRun } from './chosen-runs.js'

export interface PageImages {
  /** Where they are from: a data set's name or folder. */
  readonly source: string
  /** [count][side²], 0 to 255. */
  readonly pixels: Uint8Array
  readonly labels: Uint8Array
  readonly side: number
}

/**
 * The first test images of the data set that the runs were trained on, or of another.
 * @throws a usage error where the runs do not share one, or where its images do not fit the networks.
 */
export async function pageImages(
  chosen: readonly ChosenRun[],
  folder: string | undefined,
  count: number,
): Promise<PageImages> {
  const from = folder ?? commonSource(chosen)
  const source = folder ?? chosen[0]!.run.config.data.source
  const { images, labels } = (await loadDataSet(from)).test
  for (const { run } of chosen) {
    const inputs = inputDimension(run.config.model)
    if (inputs !== images.pixelsPerImage) {
      throw usageError({
        problem: `its network takes ${inputs} pixels, and the images of ${source} have ${images.pixelsPerImage}`,
        subject: run.folder,
        hint: 'Name a folder of fitting images with --data.',
      })
    }
  }
  const shown = Math.min(count, images.count)
  return {
    source,
    pixels: images.pixels.subarray(0, shown * images.pixelsPerImage),
    labels: labels.subarray(0, shown),
    side: sideOf(images.pixelsPerImage, source),
  }
}

function commonSource(chosen: readonly ChosenRun[]): string {
  const sources = [...new Set(chosen.map(({ run }) => sourceOfRun(run)))]
  if (sources.length === 1) return sources[0]!
  throw usageError({
    problem: `the runs were trained on different data: ${sources.join(' and ')}`,
    hint: 'Say whose test images the page shows: --data mnist, or --data FOLDER.',
  })
}

function sideOf(pixels: number, source: string): number {
  const side = Math.sqrt(pixels)
  if (Number.isInteger(side)) return side
  throw usageError({
    problem: `its images have ${pixels} pixels, which make no square to draw`,
    subject: source,
  })
}
