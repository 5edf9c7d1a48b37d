import { isUtf8 } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { hasCode, usageError } from '../errors.js'
import { readFlags } from './read.js'

/** Largest size, in bytes, of a file that a user writes: a sweep file for ten thousand runs takes some kilobytes. */
const maximumBytes = 16 << 20

/** Reading a pipe fails if no data arrives for this long. */
const silenceMilliseconds = 10_000

const pollMilliseconds = 10
const pieceBytes = 1 << 16

/**
 * Returns the text of a file named by the user, which may be a pipe: `--config <(jq … base.json)`.
 * @throws a usage error if it is longer than a config can be, if it is not text, or if it is a pipe and no data arrives.
 */
export async function readInput(file: string): Promise<string> {
  const handle = await open(file, readFlags)
  try {
    const bytes = await readAll(handle, file)
    if (!isUtf8(bytes) || bytes.includes(0)) throw notText(file)
    return bytes.toString('utf8')
  } finally {
    await handle.close()
  }
}

async function readAll(handle: FileHandle, file: string): Promise<Buffer> {
  const isPipe = (await handle.stat()).isFIFO()
  const pieces: Buffer[] = []
  let size = 0
  let lastData = performance.now()
  for (;;) {
    const piece = await readPiece(handle)
    if (piece !== null && piece.length > 0) {
      pieces.push(piece)
      size += piece.length
      lastData = performance.now()
      if (size > maximumBytes) throw tooLong(file)
      continue
    }
    // A FIFO that no process has opened for writing yet also reads as ended.
    const ended = piece !== null && (size > 0 || !isPipe)
    if (ended) return Buffer.concat(pieces)
    if (performance.now() - lastData > silenceMilliseconds) throw silent(file)
    await setTimeout(pollMilliseconds)
  }
}

/** Returns the next bytes, an empty buffer at the end, null if none have arrived yet. */
async function readPiece(handle: FileHandle): Promise<Buffer | null> {
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, null)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return null
    throw error
  }
}

function tooLong(file: string): Error {
  return usageError({
    problem: `has more than ${maximumBytes >> 20} MiB, the most that eigenae reads of such a file`,
    subject: file,
    hint: 'Check the path.',
  })
}

function notText(file: string): Error {
  return usageError({
    problem: 'is not text in UTF-8',
    subject: file,
    hint: 'Check the path, or save the file as UTF-8.',
  })
}

function silent(file: string): Error {
  return usageError({
    problem: `no data arrived within ${silenceMilliseconds / 1000} seconds`,
    subject: file,
    hint: 'Write the text to a file first.',
  })
}
