import { usageError } from '../errors.js'

/** Images of one split: `pixels` is [count][pixelsPerImage], each 0 to 255. */
export interface ImageSet {
  readonly pixels: Uint8Array
  readonly count: number
  readonly pixelsPerImage: number
}

// The idx format (http://yann.lecun.com/exdb/mnist): a magic number, the sizes as 32-bit big-endian, then the bytes.
const imagesMagic = 2051
const labelsMagic = 2049
const imagesHeader = 16
const labelsHeader = 8

/** @throws a usage error that names the file and both numbers where the bytes are no idx file of images. */
export function parseImages(bytes: Uint8Array, file: string): ImageSet {
  const header = readHeader(bytes, file, imagesMagic, imagesHeader, 'images')
  const [count, rows, columns] = [header.getUint32(4), header.getUint32(8), header.getUint32(12)]
  if (count === 0) throw damaged(file, 'holds no images')
  const pixelsPerImage = rows * columns
  const described = `${count} images of ${rows} × ${columns} pixels`
  checkLength(bytes, file, imagesHeader + count * pixelsPerImage, described)
  return { pixels: bytes.subarray(imagesHeader), count, pixelsPerImage }
}

/** Labels of any kind, 0 to 255. @throws a usage error as `parseImages` does. */
export function parseLabels(bytes: Uint8Array, file: string): Uint8Array {
  const count = readHeader(bytes, file, labelsMagic, labelsHeader, 'labels').getUint32(4)
  checkLength(bytes, file, labelsHeader + count, `${count} labels`)
  return bytes.subarray(labelsHeader)
}

function readHeader(
  bytes: Uint8Array,
  file: string,
  magic: number,
  length: number,
  content: string,
): DataView {
  if (bytes.length < length) {
    throw damaged(file, `has ${bytes.length} bytes, an idx file of ${content} has a header of ${length}`)
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, length)
  const found = header.getUint32(0)
  if (found !== magic) throw damaged(file, `magic number is ${found}, an idx file of ${content} has ${magic}`)
  return header
}

function checkLength(bytes: Uint8Array, file: string, expected: number, described: string): void {
  if (bytes.length !== expected) {
    throw damaged(file, `has ${bytes.length} bytes, its header says ${described}: ${expected} bytes`)
  }
}

function damaged(file: string, what: string): Error {
  return usageError({
    what,
    where: file,
    hint: 'Replace the file; "eigenae data fetch" downloads MNIST, and data.source "mnist" needs no file.',
  })
}
