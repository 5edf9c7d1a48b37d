import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { parseJsonIfValid, readHead } from '../files/read.js'
import type { NamedTensor } from '../model/layout.js'
import { remakeHint, sha256OfTensors, type TensorFile } from './integrity.js'

// A safetensors file has 8 bytes of header length, the header as JSON, and the tensors' bytes, little-endian.

const lengthBytes = 8
const alignment = 8
const metadataKey = '__metadata__'

/** Encodes a file with the checksum of its tensors and metadata, with which decoding detects a flipped bit. */
export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = {
    [metadataKey]: { ...metadata, sha256: sha256OfTensors({ tensors, metadata }) },
  }
  let end = 0
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] }
    end += values.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  const headerLength = Math.ceil(json.length / alignment) * alignment
  const file = Buffer.alloc(lengthBytes + headerLength + end)
  file.writeBigUInt64LE(BigInt(headerLength))
  file.fill(' ', lengthBytes, lengthBytes + headerLength)
  json.copy(file, lengthBytes)
  let offset = lengthBytes + headerLength
  for (const { values } of tensors.values()) {
    Buffer.from(values.buffer, values.byteOffset, values.byteLength).copy(file, offset)
    offset += values.byteLength
  }
  return file
}

const offset = z.int().min(0).multipleOf(Float32Array.BYTES_PER_ELEMENT)
const tensorSchema = z.object({
  dtype: z.literal('F32'),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([offset, offset]),
})
type TensorHeader = z.output<typeof tensorSchema>
const headerSchema = z
  .object({ [metadataKey]: z.record(z.string(), z.string()).default({}) })
  .catchall(tensorSchema)

/** @throws EigenaeError that names the file if it is not a safetensors file, is truncated or has changed. */
export function decodeSafetensors(bytes: Uint8Array, file: string): TensorFile {
  const { tensors, metadata, dataStart } = parseHead(bytes, bytes.length, file)
  const { sha256, ...kept } = metadata
  const decoded = {
    metadata: kept,
    tensors: new Map(tensors.map(([name, tensor]) => [name, readTensor(tensor, bytes, dataStart)])),
  }
  if (sha256 !== sha256OfTensors(decoded))
    throw damaged(file, bytes.length, 'but its numbers are not those that were written')
  return decoded
}

const headBytes = 16 << 10

/**
 * Returns the metadata of a file without reading its tensors, undefined if it does not exist.
 * @throws EigenaeError if its header or its length is wrong.
 */
export function readMetadata(file: string): TensorFile['metadata'] | undefined {
  const head = readHead(file, headBytes)
  if (head === undefined) return undefined
  const { bytes, fileLength } = head
  const dataStart = dataStartOf(bytes)
  const whole = dataStart > bytes.length && dataStart <= fileLength ? readHead(file, dataStart)! : head
  return parseHead(whole.bytes, fileLength, file).metadata
}

function dataStartOf(bytes: Uint8Array): number {
  if (bytes.length < lengthBytes) return Number.POSITIVE_INFINITY
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  return headerLength === 0 ? Number.POSITIVE_INFINITY : lengthBytes + headerLength
}

/** Returns the header after checking everything but the numbers. */
function parseHead(head: Uint8Array, fileLength: number, file: string) {
  const dataStart = dataStartOf(head)
  if (dataStart > head.length) throw damaged(file, fileLength, 'but its header is truncated')
  const text = Buffer.from(head.subarray(lengthBytes, dataStart)).toString('utf8')
  const header = headerSchema.safeParse(parseJsonIfValid(text)).data
  if (header === undefined) throw damaged(file, fileLength, 'but its header does not describe fp32 tensors')
  const { [metadataKey]: metadata, ...others } = header
  const tensors = Object.entries(others)
  const dataLength = tensors.reduce((end, [, { data_offsets }]) => Math.max(end, data_offsets[1]), 0)
  if (dataStart + dataLength !== fileLength)
    throw damaged(file, fileLength, `but its header says ${dataStart + dataLength}`)
  return { tensors, metadata, dataStart }
}

function readTensor(
  { shape, data_offsets: [begin, end] }: TensorHeader,
  bytes: Uint8Array,
  start: number,
): NamedTensor {
  // Copied because a Float32Array must be aligned to 4 bytes, and a view would keep the whole file in memory.
  const copy = new Uint8Array(bytes.subarray(start + begin, start + end))
  return { shape, values: new Float32Array(copy.buffer) }
}

function damaged(file: string, length: number, reason: string): EigenaeError {
  return new EigenaeError({
    problem: `this file is damaged: it has ${length} bytes, ${reason}`,
    subject: file,
    hint: remakeHint,
  })
}
