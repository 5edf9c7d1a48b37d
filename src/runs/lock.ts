import { readFileSync } from 'node:fs'
import { link, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { z } from 'zod'
import { EigenaeError, hasCode, withFileErrors } from '../errors.js'

const holderSchema = z.object({ pid: z.int(), host: z.string(), born: z.string() })

/** A process that writes into a run folder. `born` tells it from a later one with the same number. */
type Holder = z.output<typeof holderSchema>

/**
 * A holder renews its lock, so that other machines see that it lives: they cannot ask for its process. One that has been
 * silent for so long is gone, or is cut off from the files.
 */
const lease = { renewMilliseconds: 10_000, endMilliseconds: 60_000 }

const renewals = new Map<string, NodeJS.Timeout>()

/**
 * Makes this process the only writer of a folder. A lock left by a process that is gone (kill -9) is taken over.
 * @throws EigenaeError that names the process where one is at work.
 */
export async function acquireLock(file: string): Promise<void> {
  const mine = `${file}.${process.pid}`
  const holder: Holder = { pid: process.pid, host: hostname(), born: bornOf(process.pid) ?? '' }
  const text = JSON.stringify(holder)
  await withFileErrors('write', file, async () => {
    await writeFile(mine, text)
    try {
      await linkOrTakeOver(mine, file)
    } finally {
      await rm(mine, { force: true })
    }
  })
  renewals.set(file, setInterval(() => void renew(file, text), lease.renewMilliseconds).unref())
}

/** `link` fails where the file exists, and shows it whole from the first moment on. */
async function linkOrTakeOver(mine: string, file: string): Promise<void> {
  for (;;) {
    try {
      return await link(mine, file)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    const holder = await readHolder(file)
    // Both times are the file server's: clocks of two machines may differ by minutes.
    const { mtimeMs: now } = await stat(mine)
    if (holder !== null && (await isAtWork(holder, file, now))) throw inUse(file, holder)
    await rm(file, { force: true })
  }
}

/** Written in place: a reader finds the whole text at any moment. */
async function renew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'r+').catch(() => null)
  if (handle === null) return
  try {
    const found = await handle.readFile('utf8')
    if (found !== text) throw takenOver(file)
    await handle.write(text, 0)
  } finally {
    await handle.close()
  }
}

export async function releaseLock(file: string): Promise<void> {
  clearInterval(renewals.get(file))
  renewals.delete(file)
  await rm(file, { force: true })
}

/** Whether a process, here or on another machine, holds the folder. */
export async function isLocked(file: string): Promise<boolean> {
  const holder = await readHolder(file)
  return holder !== null && isAtWork(holder, file, Date.now())
}

async function readHolder(file: string): Promise<Holder | null> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return null
  }
}

async function isAtWork({ pid, host, born }: Holder, file: string, now: number): Promise<boolean> {
  if (host === hostname()) return bornOf(pid) === born
  const renewed = await stat(file).catch(() => null)
  return renewed !== null && now - renewed.mtimeMs < lease.endMilliseconds
}

/**
 * When a process started, in the kernel's ticks (Linux: field 22 of its stat); null where there is none, or only a
 * zombie (field 3), which writes no more: in a container without an init it stays for good.
 */
function bornOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : (fields[19] ?? null)
  } catch {
    return isAlive(pid) ? 'alive' : null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

function inUse(file: string, { pid, host }: Holder): EigenaeError {
  const here = host === hostname()
  return new EigenaeError({
    what: `process ${pid}${here ? '' : ` on ${host}`} is writing into this folder`,
    where: file,
    mend: here
      ? 'Wait for it, or stop it.'
      : 'Wait for it; if that machine is gone, the folder is free a minute after.',
  })
}

/** Thrown out of a timer, to end the process as it is: whatever it still wrote would harm the other's run. */
function takenOver(file: string): EigenaeError {
  return new EigenaeError({
    what: 'another process has taken this run over while this one was cut off from its files',
    where: file,
    mend: 'This one ends; the other goes on from the last whole epoch.',
  })
}
