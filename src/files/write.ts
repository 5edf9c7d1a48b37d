import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, closeSync, constants, fstatSync, openSync } from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileError, hasCode, withFileErrors } from '../errors.js'
import { isDeadProcess, ownProcessTag } from './processes.js'
import { notRegular } from './read.js'

/** A whole file, or its parts if it may be large. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>

export interface NamedContent {
  readonly file: string
  readonly content: string | Uint8Array
}

/** Replaces a file durably, as `writeTogether` does. */
export function writeDurably(file: string, content: string | Uint8Array): Promise<void> {
  return writeTogether([{ file, content }])
}

/**
 * Replaces files that belong together, and returns once they would survive a loss of power. All contents are written and
 * synced before the first file is renamed into its place, and the folders are synced last. So each file is always the
 * old one or the new one, for readers and after a loss of power; if the writing fails, the old ones stay.
 */
export async function writeTogether(files: readonly NamedContent[]): Promise<void> {
  const temporaries = new Map<string, string>()
  try {
    for (const { file, content } of files) {
      const temporary = await withFileErrors('write', file, () => createTemporary(file, content))
      temporaries.set(file, temporary)
    }
    for (const [file, temporary] of temporaries)
      await withFileErrors('write', file, () => rename(temporary, file))
  } catch (error) {
    for (const temporary of temporaries.values()) await rm(temporary, { force: true })
    throw error
  }
  for (const folder of new Set(files.map(({ file }) => dirname(file)))) await syncFolder(folder)
}

/** Writes files into a folder that exists, as `writeTogether` does. `file` is the name in the folder. */
export function writeInto(folder: string, files: readonly NamedContent[]): Promise<void> {
  return writeTogether(files.map(({ file, content }) => ({ file: join(folder, file), content })))
}

/**
 * Returns once the names in a folder, or the content of a file, would survive a loss of power. Skipped if the file system has
 * no such call, or the path may be written but not read.
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

/** Returns once a folder, with everything below it, would survive a loss of power. Skips what `syncFolder` does. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const inside = entries.filter((entry) => entry.isFile() || entry.isDirectory())
  for (const { parentPath, name } of inside) await syncFolder(join(parentPath, name))
  await syncFolder(folder)
}

/** The folders from which this process has removed leftovers. */
const cleaned = new Set<string>()

/**
 * Creates a temporary file beside `file`, syncs its content, and returns its path. The first call for a folder also removes
 * the temporary files that killed processes left there.
 */
export async function createTemporary(file: string, content: string | Uint8Array): Promise<string> {
  const folder = dirname(resolve(file))
  if (!cleaned.has(folder)) await removeLeftovers(folder)
  cleaned.add(folder)
  const temporary = temporaryName(file)
  await createFile(temporary, content)
  return temporary
}

/** Creates a file that does not exist yet, and syncs its content; on failure there is none. */
export async function createFile(file: string, content: FileContent): Promise<void> {
  // wx: fails if anything has the name, a link included.
  const handle = await open(file, 'wx')
  try {
    const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
    for (const part of parts) await handle.writeFile(part) // from the end of the part before
    await handle.datasync()
  } catch (error) {
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/**
 * Removes the temporary files in a folder whose processes ended before they renamed them. Errors are ignored, because a
 * leftover does no harm. Folders stay, as one may be the only copy of an export that was about to be replaced.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const { name } of await leftoversIn(folder))
    await rm(join(folder, name), { force: true }).catch(() => undefined)
}

/** Removes the temporary folders of ended processes that were to become `target`, or had been it. */
export async function removeLeftoversOf(target: string): Promise<void> {
  const folder = dirname(target)
  for (const { name, kept } of await leftoversIn(folder))
    if (kept === keptName(target)) await rm(join(folder, name), { recursive: true, force: true })
}

async function leftoversIn(folder: string) {
  return (await readdir(folder).catch(() => [])).flatMap((name) => {
    const [, kept, tag] = temporaryPattern.exec(name) ?? []
    return tag !== undefined && isDeadProcess(tag) ? [{ name, kept }] : []
  })
}

/** Returns whether a name is one that eigenae gives to temporary files. */
export function isTemporary(name: string): boolean {
  return temporaryPattern.test(name)
}

// .metrics.csv.<process tag>.<6 random bytes>.eigenae-tmp
const temporaryPattern =
  /^\.(.+)\.(h[0-9a-f]{8}-b[0-9a-f]{8}-n[0-9a-f]{8}-p\d+-s[0-9a-z]*)\.[0-9a-f]{12}\.eigenae-tmp$/

// The rest of a temporary name has at most 90 bytes, and a name 255 in all.
const keptCharacters = 40

/** Returns an unpredictable path beside `file` that `removeLeftovers` recognises. */
export function temporaryName(file: string): string {
  const nonce = randomBytes(6).toString('hex')
  return join(dirname(file), `.${keptName(file)}.${ownProcessTag()}.${nonce}.eigenae-tmp`)
}

/** Returns the name if it is short, else its start and its hash, so that no two names in a folder become the same. */
function keptName(file: string): string {
  const name = basename(file)
  if (name.length <= keptCharacters) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `${name.slice(0, keptCharacters - 9)}-${hash}`
}

// O_NOFOLLOW: a link could lead out of the run folder. O_NONBLOCK: opening a FIFO without a reader fails at once.
const appendFlags =
  constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * Appends text to a file that exists, and returns once it would survive a loss of power; on failure the file has its earlier
 * size again.
 */
export async function appendDurably(file: string, text: string): Promise<void> {
  await withFileErrors('write', file, async () => {
    const handle = await open(file, appendFlags)
    try {
      const status = await handle.stat()
      if (!status.isFile()) throw notRegular(file)
      try {
        await handle.appendFile(text)
        await handle.datasync()
      } catch (error) {
        await handle.truncate(status.size)
        throw error
      }
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

/** Returns indented JSON with a newline at the end, as all JSON files are written. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
