import { randomBytes } from 'node:crypto'
import { appendFileSync, closeSync, constants, fstatSync, openSync } from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileError, hasCode, withFileErrors } from '../errors.js'
import { isDeadProcess, ownProcessTag } from './processes.js'
import { notRegular } from './read.js'

export interface NamedContent {
  readonly file: string
  readonly content: string | Uint8Array
}

/** Replaces a file: a reader sees the old one or the new one, never a part; on failure the old one stays. */
export function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  return writeTogether([{ file, content }])
}

/** Replaces several files that belong together: all are written before the first is renamed into its place. */
export function writeTogether(files: readonly NamedContent[]): Promise<void> {
  return replaceAll(files, false)
}

/**
 * Replaces a file and returns once it would survive a loss of power: the content is synced before the rename, the
 * folder after it. The order makes a cut in between leave the old file or the new one, never an empty one.
 */
export async function writeDurably(file: string, content: string | Uint8Array): Promise<void> {
  await replaceAll([{ file, content }], true)
  await syncFolder(dirname(file))
}

/** Returns once the content of a file that was written before would survive a loss of power. */
export async function syncFile(file: string): Promise<void> {
  await withFileErrors('sync', file, async () => {
    const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW)
    await handle.datasync().finally(() => handle.close())
  })
}

/**
 * Returns once the names in a folder would survive a loss of power. Skipped if the
 * file system has no such call, or the folder may be written but not read.
 */
export async function syncFolder(folder: string): Promise<void> {
  await withFileErrors('sync', folder, async () => {
    try {
      const handle = await open(folder)
      await handle.sync().finally(() => handle.close())
    } catch (error) {
      if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'EACCES')) throw error
    }
  })
}

/** The folders from which this process has removed leftovers. */
const cleaned = new Set<string>()

/**
 * Creates a temporary file beside `file` and returns its path. The first call for a folder also removes the temporary
 * files that killed processes left there.
 */
export async function createTemporary(
  file: string,
  content: string | Uint8Array,
  durable = false,
): Promise<string> {
  const folder = dirname(resolve(file))
  if (!cleaned.has(folder)) await removeLeftovers(folder)
  cleaned.add(folder)
  const temporary = temporaryName(file)
  // wx: fails if anything has the name, a link included.
  const handle = await open(temporary, 'wx')
  try {
    await handle.writeFile(content)
    if (durable) await handle.datasync()
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

/**
 * Removes the temporary files and folders in a folder whose processes ended before they renamed them. Errors are ignored,
 * because a leftover does no harm.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  const leftovers = (await readdir(folder).catch(() => [])).filter((name) => {
    const tag = temporaryPattern.exec(name)?.[1]
    return tag !== undefined && isDeadProcess(tag)
  })
  for (const name of leftovers)
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined)
}

/** Returns whether a name is one that eigenae gives to temporary files. */
export function isTemporary(name: string): boolean {
  return temporaryPattern.test(name)
}

// .metrics.csv.<process tag>.<6 random bytes>.eigenae-tmp
const temporaryPattern =
  /^\..+\.(h[0-9a-f]{8}-b[0-9a-f]{8}-n[0-9a-f]{8}-p\d+-s[0-9a-z]*)\.[0-9a-f]{12}\.eigenae-tmp$/

// The rest of a temporary name has at most 90 bytes, and a name 255 in all.
const keptCharacters = 40

/** Returns an unpredictable path beside `file` that `removeLeftovers` recognises. */
export function temporaryName(file: string): string {
  const nonce = randomBytes(6).toString('hex')
  const name = basename(file).slice(0, keptCharacters)
  return join(dirname(file), `.${name}.${ownProcessTag()}.${nonce}.eigenae-tmp`)
}

async function replaceAll(files: readonly NamedContent[], durable: boolean): Promise<void> {
  const temporaries = new Map<string, string>()
  try {
    for (const { file, content } of files) {
      const temporary = await withFileErrors('write', file, () => createTemporary(file, content, durable))
      temporaries.set(file, temporary)
    }
    for (const [file, temporary] of temporaries)
      await withFileErrors('write', file, () => rename(temporary, file))
  } catch (error) {
    for (const temporary of temporaries.values()) await rm(temporary, { force: true })
    throw error
  }
}

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
