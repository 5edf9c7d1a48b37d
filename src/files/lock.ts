import { constants } from 'node:fs'
import { link, open, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { EigenaeError, hasCode, withFileErrors } from '../errors.js'
import { pidNamespace, processStartTime } from './processes.js'
import { readTextIfPresent } from './read.js'
import { createTemporary, syncFolder } from './write.js'

const holderSchema = z.object({ pid: z.int(), host: z.string(), space: z.string(), born: z.string() })

/**
 * A process that holds a lock. `space` is its `pidNamespace`, and `born` its `processStartTime`, which differs from that
 * of a later process with the same number.
 */
type Holder = z.output<typeof holderSchema>

/**
 * A holder renews its lock, so that other machines and containers, which cannot look up its process, see that it lives.
 * After `endMilliseconds` without a renewal it is considered dead or cut off from the files.
 */
const lease = { renewMilliseconds: 10_000, endMilliseconds: 60_000 }

/** Pause between two attempts to take a lock or a guard that another process holds. */
const pollMilliseconds = 10

/** The locks that this process holds, by file. */
const held = new Map<string, { readonly text: string; readonly renewal: NodeJS.Timeout }>()

/**
 * Makes this process the only writer of a folder. The lock of a dead process (kill -9) is taken over.
 * @param waitMilliseconds how long to wait for a process that holds the lock
 * @throws EigenaeError that names the process if another one holds the lock.
 */
export async function acquireLock(file: string, waitMilliseconds = 0): Promise<void> {
  const born = processStartTime(process.pid) ?? ''
  const holder: Holder = { pid: process.pid, host: hostname(), space: pidNamespace(), born }
  const text = JSON.stringify(holder)
  await withFileErrors('write', file, async () => {
    // Its content is synced: after a loss of power, an empty lock would not show that its process is dead.
    const mine = await createTemporary(file, text)
    try {
      await linkOrTakeOver(mine, file, performance.now() + waitMilliseconds)
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

/** Creates the lock by `link`, which fails if the file exists and never shows a partly written file. */
async function linkOrTakeOver(mine: string, file: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      return await link(mine, file)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    const found = await judge(file, mine)
    if (found.state === 'held') {
      if (performance.now() >= deadline) throw inUse(file, found.holder)
      await setTimeout(pollMilliseconds)
    }
    if (found.state === 'stale') await removeStale(mine, file)
  }
}

type Judgement =
  | { readonly state: 'none' | 'stale' }
  /** `holder` is null if another version wrote the lock. */
  | { readonly state: 'held'; readonly holder: Holder | null }

/** Compares times of the file server only, because the clocks of two machines may differ by minutes. */
async function judge(file: string, mine: string): Promise<Judgement> {
  const text = readTextIfPresent(file)
  if (text === undefined) return { state: 'none' }
  const { mtimeMs: now } = await stat(mine)
  const holder = holderOf(text)
  return (await isHeld(holder, file, (time) => now - time)) ? { state: 'held', holder } : { state: 'stale' }
}

/**
 * Removes a stale lock. A guard admits one process at a time, which judges the lock again, because a faster process may
 * have replaced it by its own. If a process is killed while it holds the guard, the next one removes the guard.
 */
async function removeStale(mine: string, file: string): Promise<void> {
  const guard = guardOf(file)
  try {
    await link(mine, guard)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    await removeGuard(mine, file)
    return void (await setTimeout(pollMilliseconds))
  }
  try {
    if ((await judge(file, mine)).state === 'stale') await rm(file, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** Removes the guard of a process that was killed while it held the guard. */
async function removeGuard(mine: string, file: string): Promise<void> {
  const guard = guardOf(file)
  if ((await judge(guard, mine)).state === 'stale') await rm(guard, { force: true })
}

function guardOf(file: string): string {
  return `${file}.takeover`
}

const renewFlags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * Rewrites the lock in place, so that a reader always finds the whole text. If the file cannot be reached, or is a FIFO,
 * the next renewal tries again.
 */
async function renew(file: string, text: string): Promise<void> {
  const handle = await open(file, renewFlags).catch((error: unknown) => {
    // Another process took the lock over and released it; or this one has just released it.
    if (hasCode(error, 'ENOENT') && held.has(file)) throw lost(file)
    return null
  })
  if (handle === null) return
  try {
    // A read at a position fails at once on a FIFO, and its length bounds that of a device file.
    const found = await handle.read(Buffer.alloc(text.length + 1), 0, text.length + 1, 0).then(
      ({ buffer, bytesRead }) => buffer.toString('utf8', 0, bytesRead),
      () => null,
    )
    if (found !== null && found !== text) throw lost(file)
    if (found !== null) await handle.write(text, 0).catch(() => undefined)
  } finally {
    await handle.close().catch(() => undefined)
  }
}

/** Removes the lock, unless another process has taken it over while this one was cut off from its files. */
export async function releaseLock(file: string): Promise<void> {
  const mine = held.get(file)
  if (mine === undefined) return
  clearInterval(mine.renewal)
  held.delete(file)
  if (textIfReadable(file) !== mine.text) return
  await rm(file, { force: true })
  // Synced because a loss of power would restore the lock. A failure is ignored: the lock would only be stale.
  await syncFolder(dirname(file)).catch(() => undefined)
}

/**
 * Returns whether a process, on this or another machine, holds the lock. Writes nothing, so the first call for a lock of
 * another machine compares its time with this machine's clock. Later calls see its renewals, whatever the clocks.
 */
export async function isLocked(file: string): Promise<boolean> {
  const text = textIfReadable(file)
  // An unreadable lock counts as one of an unknown holder.
  return (
    text !== undefined &&
    isHeld(text === null ? null : holderOf(text), file, (renewed) => observedAge(file, renewed))
  )
}

/** The locks of other machines that this process has seen: their time, and when that was by `performance.now()`. */
const observed = new Map<string, { readonly renewed: number; readonly at: number }>()

function observedAge(file: string, renewed: number): number {
  const before = observed.get(file)
  const now = performance.now()
  if (before?.renewed === renewed) return now - before.at
  const age = before === undefined ? Math.max(0, Date.now() - renewed) : 0
  observed.set(file, { renewed, at: now - age })
  return age
}

/** Returns undefined if there is no lock, null if it is not a readable file. */
function textIfReadable(file: string): string | null | undefined {
  try {
    return readTextIfPresent(file)
  } catch {
    return null
  }
}

/** Returns null if another version wrote the lock. */
function holderOf(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/** @param ageOf how many milliseconds ago a time of the file system was */
async function isHeld(
  holder: Holder | null,
  file: string,
  ageOf: (fileTime: number) => number,
): Promise<boolean> {
  if (holder !== null && !isElsewhere(holder)) return processStartTime(holder.pid) === holder.born
  const renewed = await stat(file).catch(() => null)
  return renewed !== null && ageOf(renewed.mtimeMs) < lease.endMilliseconds
}

/** Returns whether the holder's process cannot be looked up from here, so that only renewals show that it lives. */
function isElsewhere(holder: Holder | null): boolean {
  return holder?.space !== pidNamespace()
}

function inUse(file: string, holder: Holder | null): EigenaeError {
  const here = holder?.space === pidNamespace()
  const machine =
    holder?.host === hostname()
      ? 'in another container or before a restart of this machine'
      : `on ${holder?.host}`
  const owner = holder === null ? 'another process' : `process ${holder.pid}${here ? '' : ` ${machine}`}`
  return new EigenaeError({
    problem: `${owner} is writing into this folder`,
    subject: file,
    hint: here
      ? 'Wait for it, or stop it.'
      : 'Wait for it. If it is dead, the folder is free a minute after its last renewal of the lock.',
  })
}

/** Thrown from a timer to end the process at once, because further writes would damage the run of the other process. */
function lost(file: string): EigenaeError {
  return new EigenaeError({
    problem:
      'this process has lost its lock: another process took it over while this one was cut off from its files, or the folder was removed',
    subject: file,
    hint: 'This process ends now to protect the files of the other.',
  })
}
