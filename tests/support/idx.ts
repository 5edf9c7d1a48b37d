import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

export function idxImages(count: number, rows = 28, columns = 28, magic = 2051): Buffer {
  const bytes = Buffer.alloc(16 + count * rows * columns)
  for (const [place, word] of [magic, count, rows, columns].entries()) bytes.writeUInt32BE(word, 4 * place)
  for (let i = 16; i < bytes.length; i++) bytes[i] = (i * 37) % 256
  return bytes
}

export function idxLabels(count: number, magic = 2049): Buffer {
  const bytes = Buffer.alloc(8 + count)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt32BE(count, 4)
  for (let i = 0; i < count; i++) bytes[8 + i] = i % 10
  return bytes
}

/** Writes a folder with the four files of a data set, some of them replaced. */
export function dataFolder(
  folder: string,
  replaced: Readonly<Record<string, Buffer>> = {},
  gzipped = false,
): string {
  mkdirSync(folder, { recursive: true })
  const files = {
    'train-images-idx3-ubyte': idxImages(200),
    'train-labels-idx1-ubyte': idxLabels(200),
    't10k-images-idx3-ubyte': idxImages(50),
    't10k-labels-idx1-ubyte': idxLabels(50),
    ...replaced,
  }
  for (const [name, bytes] of Object.entries(files)) {
    if (gzipped) writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes))
    else writeFileSync(join(folder, name), bytes)
  }
  return folder
}
