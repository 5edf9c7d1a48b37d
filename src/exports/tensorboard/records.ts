/**
 * The framing of TensorFlow's record files: length (uint64, little-endian), its checksum, the bytes, their checksum.
 * Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".
 */
export function* recordsOf(payloads: Iterable<Uint8Array>): Generator<Uint8Array> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for (const payload of payloads) {
    parts.push(headOf(payload.length), payload, checksumOf(payload))
    bytes += payload.length
    if (bytes < chunkBytes) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  yield Buffer.concat(parts)
}

// A write for each record would be slow.
const chunkBytes = 1 << 20

function headOf(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(length))
  return Buffer.concat([bytes, checksumOf(bytes)])
}

function checksumOf(bytes: Uint8Array): Buffer {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32LE(masked(crc32c(bytes)))
  return checksum
}

/** Rotated and shifted, because the checksum of bytes that contain their own checksum would be weak. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The bit-reversed polynomial of Castagnoli (RFC 3720, appendix B.4), which zlib's crc32 does not use. */
const polynomial = 0x82f63b78

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!
  return ~crc >>> 0
}
