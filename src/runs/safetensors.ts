import { createHash } from 'node:crypto'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'

/** The safetensors format: 8 bytes of header length, the header as JSON, the tensors' bytes, all little-endian. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, NamedTensor>
  readonly metadata: Readonly<Record<string, string>>
}

/** fp32, row-major. */
export interface NamedTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const lengthBytes = 8
const alignment = 8
const metadataKey = '__metadata__'

/** With a digest of it all in the metadata: decoded again, a flipped bit is found. */
export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = {
    [metadataKey]: { ...metadata, sha256: digestOf({ tensors, metadata }) },
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

function digestOf({ tensors, metadata }: TensorFile): string {
  const hash = createHash('sha256').update(JSON.stringify(metadata))
  for (const [name, { shape, values }] of tensors)
    hash.update(`${name} ${shape}`).update(Buffer.from(values.buffer, values.byteOffset, values.byteLength))
  return hash.digest('hex')
}

const offset = z.int().min(0).multipleOf(Float32Array.BYTES_PER_ELEMENT)
const tensorSchema = z.object({
  dtype: z.literal('F32'),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([offset, offset]),
})
type TensorHeader = z.output<typeof tensorSchema>
const tensorsSchema = z.record(z.string(), tensorSchema)
const metadataSchema = z.record(z.string(), z.string()).default({})

/** @throws EigenaeError that names the file where it is cut short or no safetensors file. */
export function decodeSafetensors(bytes: Uint8Array, file: string): TensorFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const headerLength = bytes.length < lengthBytes ? 0 : Number(view.getBigUint64(0, true))
  const dataStart = lengthBytes + headerLength
  if (headerLength === 0 || dataStart > bytes.length)
    throw damaged(file, bytes.length, 'its header is cut short')
  const header = parseHeader(bytes.subarray(lengthBytes, dataStart), bytes.length, file)
  const tensors = Object.entries(header.tensors)
  const dataLength = Math.max(0, ...tensors.map(([, tensor]) => tensor.data_offsets[1]))
  if (dataStart + dataLength !== bytes.length) {
    throw damaged(file, bytes.length, `its header says ${dataStart + dataLength}`)
  }
  const { sha256, ...metadata } = header.metadata
  const decoded = {
    metadata,
    tensors: new Map(tensors.map(([name, tensor]) => [name, readTensor(tensor, bytes, dataStart)])),
  }
  // One that another program wrote has none.
  if (sha256 !== undefined && sha256 !== digestOf(decoded))
    throw damaged(file, bytes.length, 'and not the numbers that were written')
  return decoded
}

function parseHeader(bytes: Uint8Array, fileLength: number, file: string) {
  try {
    const { [metadataKey]: metadata, ...tensors } = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return { metadata: metadataSchema.parse(metadata), tensors: tensorsSchema.parse(tensors) }
  } catch {
    throw damaged(file, fileLength, 'its header does not describe tensors of fp32')
  }
}

function readTensor(
  { shape, data_offsets: [begin, end] }: TensorHeader,
  bytes: Uint8Array,
  start: number,
): NamedTensor {
  // A copy, aligned to 4: a Buffer's slice would be a view of the whole file.
  const copy = new Uint8Array(bytes.subarray(start + begin, start + end))
  return { shape, values: new Float32Array(copy.buffer) }
}

function damaged(file: string, length: number, what: string): EigenaeError {
  return new EigenaeError({
    what: `this file is damaged: it has ${length} bytes, ${what}`,
    where: file,
    hint: 'Start the run again with --overwrite.',
  })
}
