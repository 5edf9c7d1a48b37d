import { isUtf8 } from 'node:buffer'
import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { EigenaeError, type ErrorParts, fileError, hasCode, usageError } from '../errors.js'

/**
 * Largest sizes, in bytes, of the files that eigenae writes itself. A file over its limit is refused before memory is
 * allocated for it.
 */
export const sizeLimits = { json: 64 << 20, table: 512 << 20, tensors: 8 * 2 ** 30 } as const

/** Flags to open a file for reading. O_NONBLOCK: a FIFO without a writer opens at once instead of blocking the thread. */
export const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/**
 * Returns the bytes of a regular file, undefined if it does not exist. Synchronous: for thousands of small files,
 * promises cost several times the reading.
 * @throws EigenaeError if it is not a regular file (a FIFO, a device, a folder) or has more than `limit` bytes.
 */
export function readIfPresent(file: string, limit: number): Buffer | undefined {
  return withOpenFile(file, (descriptor, size) => {
    if (size > limit) throw tooLarge(file, size, limit)
    return readAt(descriptor, size)
  })
}

/** Returns the text of a regular file, undefined if it does not exist. @throws as `readIfPresent`. */
export function readTextIfPresent(file: string, limit: number = sizeLimits.json): string | undefined {
  return readIfPresent(file, limit)?.toString('utf8')
}

/** Returns the first bytes of a regular file, and how many it has in all; undefined if it does not exist. */
export function readHead(file: string, count: number) {
  return withOpenFile(file, (descriptor, size) => ({
    bytes: readAt(descriptor, Math.min(size, count)),
    fileLength: size,
  }))
}

const chunkBytes = 1 << 20

/** Calls `use` with each part of a regular file in turn; returns false if it does not exist. */
export function forEachChunk(file: string, use: (chunk: Buffer) => void): boolean {
  const read = withOpenFile(file, (descriptor) => {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    for (;;) {
      const count = readSync(descriptor, chunk)
      if (count === 0) return true
      use(chunk.subarray(0, count))
    }
  })
  return read ?? false
}

/** Returns the text of the last bytes of a regular file, at most `count`; undefined if it does not exist. */
export function readLastText(file: string, count: number): string | undefined {
  return withOpenFile(file, (descriptor, size) =>
    readAt(descriptor, Math.min(size, count), Math.max(0, size - count)).toString('utf8'),
  )
}

function withOpenFile<T>(file: string, use: (descriptor: number, size: number) => T): T | undefined {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, readFlags)
    const status = fstatSync(descriptor)
    if (!status.isFile()) throw notRegular(file)
    return use(descriptor, status.size)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw isSocketError(error) ? notRegular(file) : fileError('read', file, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** Returns a text that changes when the file does: "-" if it does not exist, "?" if that is unknown. */
export function modificationOf(file: string): string {
  try {
    const found = statSync(file, { throwIfNoEntry: false })
    return found === undefined ? '-' : `${found.mtimeMs}:${found.size}`
  } catch {
    return '?'
  }
}

/** Returns whether an error means that the file is a socket, which cannot be opened. */
export function isSocketError(error: unknown): boolean {
  return hasCode(error, 'ENXIO')
}

/** Returns up to `size` bytes from `start`; fewer if the file was truncated meanwhile. */
function readAt(descriptor: number, size: number, start = 0): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let read = 0
  while (read < size) {
    const count = readSync(descriptor, bytes, read, size - read, start + read)
    if (count === 0) break
    read += count
  }
  return bytes.subarray(0, read)
}

export function notRegular(
  file: string,
  rest: Pick<ErrorParts, 'hint' | 'exit'> = { hint: 'Remove it, or restore the file that belongs there.' },
): EigenaeError {
  return new EigenaeError({ problem: 'is not a regular file', subject: file, ...rest })
}

function tooLarge(file: string, size: number, limit: number): EigenaeError {
  return new EigenaeError({
    problem: `has ${size} bytes, more than the ${limit} that eigenae reads`,
    subject: file,
    hint: 'Restore the file that belongs there.',
  })
}

/** Largest size, in bytes, of a file that a user writes: a sweep file for ten thousand runs takes some kilobytes. */
const maximumInputBytes = 16 << 20

/**
 * Returns the text of a file named by the user, which may be a pipe: `--config <(jq … base.json)`.
 * @throws a usage error if it is longer than a config can be, or if it is not text
 */
export async function readInput(file: string): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
    pieces.push(piece)
    size += piece.length
    if (size > maximumInputBytes)
      throw usageError({
        problem: `has more than ${maximumInputBytes >> 20} MiB, the most that eigenae reads of such a file`,
        subject: file,
        hint: 'Check the path.',
      })
  }
  const bytes = Buffer.concat(pieces)
  if (isUtf8(bytes) && !bytes.includes(0)) return bytes.toString('utf8')
  throw usageError({
    problem: 'is not text in UTF-8',
    subject: file,
    hint: 'Check the path, or save the file as UTF-8.',
  })
}

/** Returns the parsed JSON, undefined if the text is undefined or is not JSON. */
export function parseJsonIfValid(text: string | Buffer | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text.toString())
  } catch {
    return undefined
  }
}

/**
 * Returns the parsed JSON of a file, undefined if it does not exist.
 * @throws EigenaeError if it is not JSON, without V8's message: a link may lead to a private file, whose beginning that has.
 */
export function readJsonIfPresent(
  file: string,
  hint = 'Restore the file, or train the run again with --resume.',
): unknown {
  const text = readTextIfPresent(file)
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch (cause) {
    throw new EigenaeError({
      problem: 'is not valid JSON',
      subject: file,
      hint,
      cause,
    })
  }
}
