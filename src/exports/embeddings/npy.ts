import { existsSync } from 'node:fs'
import type { EmbeddingFormat } from './embedding.js'

/** numpy's own format: the embedding as float32 [count][latent], and beside it the labels as uint8 [count]. */
export const npy: EmbeddingFormat = {
  extension: '.npy',
  encode: (file, { values, latent, labels }) => [
    { file, content: encodeNpy('<f4', [labels.length, latent], values) },
    { file: labelsFile(file), content: encodeNpy('|u1', [labels.length], labels) },
  ],
  isOurs: (file, beginning) => beginning.includes("'<f4'") && existsSync(labelsFile(file)),
}

/** z.npy → z.labels.npy */
function labelsFile(file: string): string {
  return file.replace(/\.npy$/i, '.labels.npy')
}

const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1')
const lengthBytes = 2
const alignment = 64

/** numpy.lib.format, version 1.0: the header is a Python dict, padded so that the values are aligned. */
function encodeNpy(
  dtype: '<f4' | '|u1',
  shape: readonly number[],
  values: Float32Array | Uint8Array,
): Buffer {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`
  const dict = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`
  const before = magic.length + lengthBytes
  const headerLength = Math.ceil((before + dict.length + 1) / alignment) * alignment - before
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt16LE(headerLength)
  const header = `${dict.padEnd(headerLength - 1)}\n`
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([magic, length, Buffer.from(header, 'latin1'), bytes])
}
