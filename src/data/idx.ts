import { usageError } from '../errors.js'
import { type ImageShape, maximumWidth, shapeText } from '../model/architecture.js'
import { eigenaeCommand } from '../text/command-line.js'

/**
 * The four files of a data set, with the size in bytes and the SHA-256 of MNIST's unzipped files. The names are those of
 * mnist-dataset and of all mirrors.
 */
export const dataFiles = {
  trainImages: {
    name: 'train-images-idx3-ubyte',
    content: 'images',
    bytes: 47_040_016,
    sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  },
  trainLabels: {
    name: 'train-labels-idx1-ubyte',
    content: 'labels',
    bytes: 60_008,
    sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  testImages: {
    name: 't10k-images-idx3-ubyte',
    content: 'images',
    bytes: 7_840_016,
    sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  },
  testLabels: {
    name: 't10k-labels-idx1-ubyte',
    content: 'labels',
    bytes: 10_008,
    sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
} as const

export type DataFile = keyof typeof dataFiles
export const dataFileKeys = Object.keys(dataFiles) as readonly DataFile[]

/** Images of one split: `pixels` is [count][height][width], values 0 to 255. */
export interface ImageSet {
  readonly shape: ImageShape
  readonly pixels: Uint8Array
  readonly count: number
  readonly pixelsPerImage: number
}

type Content = (typeof dataFiles)[keyof typeof dataFiles]['content']

// The idx format (http://yann.lecun.com/exdb/mnist): a magic number, the sizes as 32-bit big-endian, then the bytes.
const formats = {
  images: { magic: 2051, headerBytes: 16 },
  labels: { magic: 2049, headerBytes: 8 },
} as const

/** Bytes of the longer of the two headers. */
export const longestHeader = formats.images.headerBytes

/** Four times EMNIST's largest file. A file whose header claims more is refused before memory is allocated. */
const maximumBytes = 2 ** 31

/** The content of a data file, unzipped. */
export interface DataBytes {
  /** The name of the plain file, even if the gzipped one was read. */
  readonly file: string
  readonly bytes: Uint8Array
  readonly sha256: string
  /** Bytes of the whole file; null if it is gzipped and longer than its bound, at which `bytes` ends. */
  readonly size: number | null
}

/** Returns the length at which reading stops. `head` has at least `longestHeader` bytes, or the whole shorter file. */
export type Bound = (head: Uint8Array, file: string) => number

/** Returns a function that reads the length of an idx file from its header. It throws a usage error for other files. */
export function idxLength(content: Content): Bound {
  return (head, file) => readHeader(head, file, content).length
}

/** @throws a usage error that names the file, the expected and the found number if it is not an idx file of images. */
export function parseImages(data: DataBytes): ImageSet {
  const { count, pixelsPerImage } = checkedHeader(data, 'images')
  if (count === 0) throw damaged(data.file, 'holds no images')
  const shape = parseShape(data)
  return { shape, pixels: data.bytes.subarray(formats.images.headerBytes), count, pixelsPerImage }
}

/**
 * Returns the shape of the images of a file, of which the header is enough.
 * @throws a usage error if it is not an idx file of images, or if no network takes them.
 */
export function parseShape({ bytes, file }: Pick<DataBytes, 'bytes' | 'file'>): ImageShape {
  const { shape, pixelsPerImage } = readHeader(bytes, file, 'images')
  if (pixelsPerImage >= 1 && pixelsPerImage <= maximumWidth) return shape
  throw usageError({
    problem: `its images have ${shapeText(shape)} = ${pixelsPerImage} pixels, and a network takes from 1 to ${maximumWidth}`,
    subject: file,
    hint: 'Scale the images.',
  })
}

/** Returns the labels, 0 to 255. @throws a usage error as `parseImages` does. */
export function parseLabels(data: DataBytes): Uint8Array {
  checkedHeader(data, 'labels')
  return data.bytes.subarray(formats.labels.headerBytes)
}

function checkedHeader({ bytes, file, size }: DataBytes, content: Content) {
  const header = readHeader(bytes, file, content)
  if (size === header.length) return header
  const found = size === null ? `unzips to more than ${bytes.length} bytes` : `has ${size} bytes`
  throw damaged(file, `${found}, its header says ${header.described}: ${header.length} bytes`)
}

/** `length` is that of the whole file, in bytes. */
function readHeader(bytes: Uint8Array, file: string, content: Content) {
  const { magic, headerBytes } = formats[content]
  if (bytes.length < headerBytes) {
    throw damaged(file, `has ${bytes.length} bytes, an idx file of ${content} has a header of ${headerBytes}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes)
  const found = view.getUint32(0)
  if (found !== magic) throw damaged(file, `magic number is ${found}, an idx file of ${content} has ${magic}`)
  const count = view.getUint32(4)
  const shape =
    content === 'images' ? { width: view.getUint32(12), height: view.getUint32(8) } : { width: 1, height: 1 }
  const pixelsPerImage = shape.width * shape.height
  const length = headerBytes + count * pixelsPerImage
  const described = content === 'images' ? `${count} images of ${shapeText(shape)} pixels` : `${count} labels`
  if (length > maximumBytes)
    throw damaged(
      file,
      `its header says ${described}: ${length} bytes, more than the ${maximumBytes} that eigenae reads`,
    )
  return { count, shape, pixelsPerImage, length, described }
}

function damaged(file: string, problem: string): Error {
  return usageError({
    problem,
    subject: file,
    hint: `Replace the file; "${eigenaeCommand('data fetch')}" downloads MNIST, and data.source "mnist" needs no file.`,
  })
}
