import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { crc32Of } from '../files/crc32.js'
import { pngText } from '../files/own-files.js'

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const colorTypes = { gray: { code: 0, channels: 1 }, rgba: { code: 6, channels: 4 } } as const

/** Encodes pixels [height][width][channels] of 0 to 255 as a PNG (ISO/IEC 15948). Another thread compresses them. */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  kind: keyof typeof colorTypes,
): Promise<Buffer> {
  const { code, channels } = colorTypes[kind]
  const lineLength = width * channels
  const height = pixels.length / lineLength
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, code, 0, 0, 0], 8)
  // Each line starts with the number of its filter: 0, none.
  const lines = Buffer.alloc(height * (lineLength + 1))
  for (let y = 0; y < height; y++) {
    lines.set(pixels.subarray(y * lineLength, (y + 1) * lineLength), y * (lineLength + 1) + 1)
  }
  return Buffer.concat([
    pngSignature,
    pngChunk('IHDR', header),
    pngChunk('tEXt', Buffer.from(pngText, 'latin1')),
    pngChunk('IDAT', await promisify(deflate)(lines)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const bytes = Buffer.alloc(4 + body.length + 4)
  bytes.writeUInt32BE(content.length)
  body.copy(bytes, 4)
  bytes.writeUInt32BE(crc32(body), 4 + body.length)
  return bytes
}

/** With the polynomial of IEEE 802.3. */
const crc32 = crc32Of(0xedb88320)
