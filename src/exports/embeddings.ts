import { dirname, extname } from 'node:path'
import { usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import {
  beginsWith,
  type Mark,
  type Output,
  refuseExistingFiles,
  refuseForeignFiles,
} from '../files/own-files.js'
import { type NamedContent, writeTogether } from '../files/write.js'
import { csvText } from '../text/table.js'

/** The embedding of some images. */
export interface Embedding {
  /** [count][latent]. */
  readonly values: Float32Array
  readonly latent: number
  /** One label per image. */
  readonly labels: Uint8Array
}

/** A file format for embeddings, one row of the table at the end of this file. */
interface EmbeddingFormat {
  readonly extension: string
  /** Returns the files, the one with the given name first. */
  encode(file: string, embedding: Embedding): readonly NamedContent[]
  /** Returns the same files with the marks that recognise earlier ones. */
  outputs(file: string): readonly Output[]
}

/**
 * Returns the format for the extension of a file's name. Writes nothing.
 * @throws a usage error if no format has the name's extension, if a file would be replaced that is not an embedding, or if,
 * without `overwrite`, any file would be replaced: a CSV file cannot hold a mark and is recognised only by its header.
 */
export function embeddingFormatOf(file: string, overwrite: boolean): EmbeddingFormat {
  const format = formats.find(({ extension }) => extension === extname(file).toLowerCase())
  if (format === undefined) {
    const known = formats.map(({ extension }) => extension).join(' or ')
    throw usageError({ problem: `must end with ${known} (got "${file}")`, subject: '--out' })
  }
  const outputs = format.outputs(file)
  refuseForeignFiles(outputs, 'Name another file with --out.')
  const hint = 'Replace the embedding with --overwrite, or name another file with --out.'
  if (!overwrite) refuseExistingFiles(outputs, hint)
  return format
}

/** Writes an embedding and returns the names of its files. */
export async function writeEmbedding(
  format: EmbeddingFormat,
  file: string,
  embedding: Embedding,
): Promise<readonly string[]> {
  const files = format.encode(file, embedding)
  await makeFolder(dirname(file))
  await writeTogether(files)
  return files.map((each) => each.file)
}

const firstColumns = ['index', 'label'] as const

/** Nine digits identify every fp32 number. */
const fp32 = (value: number) => Number(value.toPrecision(9))

/** One row per image: its index in the split, its label, and its coordinates z1 to zd. */
const csv: EmbeddingFormat = {
  extension: '.csv',
  encode: (file, { values, latent, labels }) => {
    const axes = Array.from({ length: latent }, (_, axis) => `z${axis + 1}`)
    const rows = Array.from(labels, (label, index) => {
      const coordinates = axes.map((axis, place) => [axis, fp32(values[index * latent + place]!)])
      return { index, label, ...Object.fromEntries(coordinates) }
    })
    return [{ file, content: csvText([...firstColumns, ...axes], rows) }]
  },
  outputs: (file) => [{ file, mark: beginsWith([...firstColumns, 'z1'].join(',')) }],
}

/** NumPy's format: the embedding as float32 [count][latent], and a second file with the labels as uint8 [count]. */
const npy: EmbeddingFormat = {
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
 * Length of the header, a multiple of 64. NumPy itself would pad it to 128 bytes. The longer padding is the mark of eigenae's
 * files: the format has no room for another mark, and every reader skips the padding.
 */
const headerBytes = 256

/** Encodes version 1.0 of numpy.lib.format, whose header is a Python dict, padded with spaces. */
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

/** Recognises a file that begins with exactly the header that `encodeNpy` would write for its shape. */
function headerMark(dtype: Dtype): Mark {
  return (head) => {
    const [shape] = /\([\d, ]+\)/.exec(head.toString('latin1')) ?? []
    return shape !== undefined && encodeHeader(dtype, shape).equals(head.subarray(0, headerBytes))
  }
}

/** All formats. A new format is a value like `csv` and a row here. */
const formats: readonly EmbeddingFormat[] = [csv, npy]
