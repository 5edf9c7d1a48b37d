import { open } from 'node:fs/promises'
import { hasCode } from './errors.js'

/** The beginning of a file, fewer than `count` bytes where it is shorter; null where there is no such file. */
export async function firstBytes(file: string, count: number): Promise<Buffer | null> {
  try {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}
