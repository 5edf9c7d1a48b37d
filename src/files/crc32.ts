/**
 * Returns the function that computes the 32-bit CRC of a bit-reversed polynomial. zlib.crc32 needs Node 20.15 and has only
 * the polynomial of IEEE 802.3.
 */
export function crc32Of(polynomial: number): (bytes: Uint8Array) => number {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc
  })
  return (bytes) => {
    let crc = 0xffffffff
    for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!
    return ~crc >>> 0
  }
}
