import { constants } from 'node:fs'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { EigenaeError, hasCode, withFileErrors } from '../errors.js'
import { pidNamespace, processStartTime } from './processes.js'
import { readTextIfPresent } from './read.js'
import { createTemporary, syncFolder } from './write.js'

const holderSchema = z.object({ pid: z.int(), host: z.string(), space: z.string(), born: z.string() })

/** A process that writes into a run folder. `born` tells it from a later one with the same number in its `space`. */
type Holder = z.output<typeof holderSchema>

/**
 * A holder renews its lock, so that other machines and containers see that it lives: they cannot ask for its process. One
 * that has been silent for so long is gone, or is cut off from the files.
 */
const lease = { renewMilliseconds: 10_000, endMilliseconds: 60_000 }

/** Between two looks at a guard that another process has. */
const guardMilliseconds = 10

/** What this process holds, by file. */
const held = new Map<string, { readonly text: string; readonly renewal: NodeJS.Timeout }>()

/**
 * Makes this process the only writer of a folder. A lock left by a process that is gone (kill -9) is taken over.
 * @throws EigenaeError that names the process where one is at work.
 */
export async function acquireLock(file: string): Promise<void> {
  const born = processStartTime(process.pid) ?? ''
  const holder: Holder = { pid: process.pid, host: hostname(), space: pidNamespace(), born }
  const text = JSON.stringify(holder)
  await withFileErrors('write', file, async () => {
    const mine = await createTemporary(file, text)
    try {
      await linkOrTakeOver(mine, file)
      await removeGuard(mine, file)
    } finally {
      await rm(mine, { force: true })
    }
  })
  held.set(file, {
    text,
    renewal: setInterval(() => void renew(file, text), lease.renewMilliseconds).unref(),
  })
}

/** `link` fails where the file exists, and shows it whole from the first moment on. */
async function linkOrTakeOver(mine: string, file: string): Promise<void> {
  for (;;) {
    try {
      return await link(mine, file)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    const found = await judge(file, mine)
    if (found.state === 'at work') throw inUse(file, found.holder)
    if (found.state === 'left behind') await removeStale(mine, file)
  }
}

type Judgement =
  | { readonly state: 'none' | 'left behind' }
  /** By a process of another version: null. */
  | { readonly state: 'at work'; readonly holder: Holder | null }

/** By the file server's times: clocks of two machines may differ by minutes. */
async function judge(file: string, mine: string): Promise<Judgement> {
  const found = readLock(file)
  if (found === null) return { state: 'none' }
  const { mtimeMs: now } = await stat(mine)
  const { holder } = found
  return (await isAtWork(holder, file, now)) ? { state: 'at work', holder } : { state: 'left behind' }
}

/**
 * One process at a time, which judges again: another may have been faster, and its lock is to stay. Who is killed in
 * here leaves the guard behind, which the next one finds.
 */
async function removeStale(mine: string, file: string): Promise<void> {
  const guard = guardOf(file)
  try {
    await link(mine, guard)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    await removeGuard(mine, file)
    return void (await setTimeout(guardMilliseconds))
  }
  try {
    if ((await judge(file, mine)).state === 'left behind') await rm(file, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** Removes the guard of a process that was killed while it had it. */
async function removeGuard(mine: string, file: string): Promise<void> {
  const guard = guardOf(file)
  if ((await judge(guard, mine)).state === 'left behind') await rm(guard, { force: true })
}

function guardOf(file: string): string {
  return `${file}.takeover`
}

/** Written in place: a reader finds the whole text at any moment. Files that are out of reach are tried again later. */
async function renew(file: string, text: string): Promise<void> {
  const handle = await open(file, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)).catch((error: unknown) => {
    // Whoever took it over has come to its end; or it was released here just now.
    if (hasCode(error, 'ENOENT') && held.has(file)) throw lost(file)
    return null
  })
  if (handle === null) return
  try {
    const found = await handle.readFile('utf8').catch(() => null)
    if (found !== null && found !== text) throw lost(file)
    if (found !== null) await handle.write(text, 0).catch(() => undefined)
  } finally {
    await handle.close().catch(() => undefined)
  }
}

/** Another's lock stays: this process may have been cut off from its files for long. */
export async function releaseLock(file: string): Promise<void> {
  const mine = held.get(file)
  if (mine === undefined) return
  clearInterval(mine.renewal)
  held.delete(file)
  if ((await readFile(file, 'utf8').catch(() => null)) !== mine.text) return
  await rm(file, { force: true })
  // A loss of power would bring it back. What cannot be synced is not worth an error.
  await syncFolder(dirname(file)).catch(() => undefined)
}

/** Whether a process, here or on another machine, holds the folder. */
export async function isLocked(file: string): Promise<boolean> {
  const found = readLockOrUnknown(file)
  if (found === null) return false
  const { holder } = found
  const now = isForeign(holder) ? await fileTimeNow(file) : 0
  return isAtWork(holder, file, now)
}

const measuredTimes = new Map<number, { readonly fileTime: number; readonly at: number }>()

// A machine that slept meanwhile measures again.
const measuredForMilliseconds = 60_000

/**
 * Returns the present time, in milliseconds, as the file system stamps files: the time of a new file, made once a minute
 * for a file system and removed at once. In a folder that this process may not write into it is the machine's own time.
 */
async function fileTimeNow(file: string): Promise<number> {
  const { dev } = await stat(dirname(file))
  const earlier = measuredTimes.get(dev)
  const elapsed = performance.now() - (earlier?.at ?? 0)
  if (earlier !== undefined && elapsed < measuredForMilliseconds) return earlier.fileTime + elapsed
  const temporary = await createTemporary(file, '').catch(() => null)
  if (temporary === null) return Date.now()
  try {
    const { mtimeMs: fileTime } = await stat(temporary)
    measuredTimes.set(dev, { fileTime, at: performance.now() })
    return fileTime
  } finally {
    await rm(temporary, { force: true })
  }
}

/** The holder is null if another version wrote the lock, and the lock null if there is none. */
type FoundLock = { readonly holder: Holder | null } | null

function readLock(file: string): FoundLock {
  const text = readTextIfPresent(file)
  return text === undefined ? null : { holder: holderOf(text) }
}

/** A lock that cannot be read is one of an unknown holder. */
function readLockOrUnknown(file: string): FoundLock {
  try {
    return readLock(file)
  } catch {
    return { holder: null }
  }
}

function holderOf(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

async function isAtWork(holder: Holder | null, file: string, now: number): Promise<boolean> {
  if (holder !== null && !isForeign(holder)) return processStartTime(holder.pid) === holder.born
  const renewed = await stat(file).catch(() => null)
  return renewed !== null && now - renewed.mtimeMs < lease.endMilliseconds
}

/** Whether only the lock's renewal shows if its holder lives. */
function isForeign(holder: Holder | null): boolean {
  return holder?.space !== pidNamespace()
}

function inUse(file: string, holder: Holder | null): EigenaeError {
  const here = holder?.space === pidNamespace()
  const where =
    holder?.host === hostname()
      ? 'in another container, or before a restart, of this machine'
      : `on ${holder?.host}`
  const who = holder === null ? 'another process' : `process ${holder.pid}${here ? '' : ` ${where}`}`
  return new EigenaeError({
    problem: `${who} is writing into this folder`,
    subject: file,
    hint: here
      ? 'Wait for it, or stop it.'
      : 'Wait for it; if it is gone, the folder is free a minute after its last sign of life.',
  })
}

/** Thrown out of a timer, to end the process as it is: whatever it still wrote would harm the other's run. */
function lost(file: string): EigenaeError {
  return new EigenaeError({
    problem:
      'this process has lost its lock: another took the folder over while this one was cut off from its files, or the folder was removed',
    subject: file,
    hint: 'This one ends, so that it writes into nothing of the other.',
  })
}
