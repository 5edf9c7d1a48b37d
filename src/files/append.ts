import { appendFileSync, closeSync, constants, fstatSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileError, hasCode, withFileErrors } from '../errors.js'
import { notRegular } from './read.js'

// O_NOFOLLOW: a link could lead out of the run folder. O_NONBLOCK: opening a FIFO without a reader fails at once.
const appendFlags =
  constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Appends text to a file that exists; on failure the file has its earlier size again. */
export async function appendWhole(file: string, text: string): Promise<void> {
  await withFileErrors('write', file, async () => {
    const handle = await open(file, appendFlags)
    try {
      const status = await handle.stat()
      if (!status.isFile()) throw notRegular(file)
      await handle.appendFile(text).catch(async (error: unknown) => {
        await handle.truncate(status.size)
        throw error
      })
    } finally {
      await handle.close()
    }
  })
}

/** Opens a log for appending, creates it if it is missing, and returns its descriptor. */
export function openLog(file: string): number {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, appendFlags | constants.O_CREAT)
    if (!fstatSync(descriptor).isFile()) throw notRegular(file)
    return descriptor
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    throw hasCode(error, 'ENXIO') ? notRegular(file) : fileError('write', file, error)
  }
}

/** Appends text to a log. @throws as `openLog`. */
export function appendToLog(file: string, text: string | Uint8Array): void {
  const log = openLog(file)
  try {
    appendFileSync(log, text)
  } catch (error) {
    throw fileError('write', file, error)
  } finally {
    closeSync(log)
  }
}
