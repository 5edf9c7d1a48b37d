import type { Mark } from '../../files/overwrite-guard.js'
import type { EmbeddingFormat } from './embedding.js'

/** numpy's own format: the embedding as float32 [count][latent], and beside it the labels as uint8 [count]. */
export const npy: EmbeddingFormat = {
  extension: '.npy',
  encode: (file, { values, latent, labels }) => [
    { file, content: encodeNpy('<f4', [labels.length, latent], values) },
    { file: labelsFile(file), content: encodeNpy('|u1', [labels.length], labels) },
  ],
  outputs: (file) => [
    { file, mark: headerMark('<f4') },
    { file: labelsFile(file), mark: headerMark('|u1') },
  ],
}

/** z.npy → z.labels.npy */
function labelsFile(file: string): string {
  return file.replace(/\.npy$/i, '.labels.npy')
}

type Dtype = '<f4' | '|u1'

const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1')
const lengthBytes = 2

/**
 * The values begin here, at a multiple of 64. numpy itself pads such a header to 128 bytes: the longer padding is the mark
 * of eigenae's own files. The format has no place for any other, and every reader skips the padding.
 */
const headerBytes = 256

/** numpy.lib.format, version 1.0: the header is a Python dict, padded with spaces. */
function encodeNpy(dtype: Dtype, shape: readonly number[], values: Float32Array | Uint8Array): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([encodeHeader(dtype, `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`), bytes])
}

function encodeHeader(dtype: Dtype, shape: string): Buffer {
  const dict = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${shape}, }`
  const dictBytes = headerBytes - magic.length - lengthBytes
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt16LE(dictBytes)
  return Buffer.concat([magic, length, Buffer.from(`${dict.padEnd(dictBytes - 1)}\n`, 'latin1')])
}

/** Whether a file begins with the very header that `encodeNpy` would write for its shape. */
function headerMark(dtype: Dtype): Mark {
  return (head) => {
    const [shape] = /\([\d, ]+\)/.exec(head.toString('latin1')) ?? []
    return shape !== undefined && encodeHeader(dtype, shape).equals(head.subarray(0, headerBytes))
  }
}
