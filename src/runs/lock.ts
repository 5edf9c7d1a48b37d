import { readFileSync } from 'node:fs'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { z } from 'zod'
import { EigenaeError, hasCode, withFileErrors } from '../errors.js'

const holderSchema = z.object({ pid: z.int(), host: z.string(), born: z.string() })

/** A process that writes into a run folder. `born` tells it from a later one with the same number. */
type Holder = z.output<typeof holderSchema>

/**
 * Makes this process the only writer of a folder. A lock left by a process that is gone (kill -9) is taken over.
 * @throws EigenaeError that names the process where one is at work.
 */
export async function acquireLock(file: string): Promise<void> {
  const mine = `${file}.${process.pid}`
  const holder: Holder = { pid: process.pid, host: hostname(), born: bornOf(process.pid) ?? '' }
  await withFileErrors('write', file, async () => {
    await writeFile(mine, JSON.stringify(holder))
    try {
      await linkOrTakeOver(mine, file)
    } finally {
      await rm(mine, { force: true })
    }
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
    const holder = await readHolder(file)
    if (holder !== null && isAtWork(holder)) throw inUse(file, holder)
    await rm(file, { force: true })
  }
}

export async function releaseLock(file: string): Promise<void> {
  await rm(file, { force: true })
}

/** Whether a process, here or on another machine, holds the folder. */
export async function isLocked(file: string): Promise<boolean> {
  const holder = await readHolder(file)
  return holder !== null && isAtWork(holder)
}

async function readHolder(file: string): Promise<Holder | null> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return null
  }
}

/** Of another machine's process nothing can be known: it counts as at work. */
function isAtWork({ pid, host, born }: Holder): boolean {
  return host !== hostname() || bornOf(pid) === born
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
    mend: here ? 'Wait for it, or stop it.' : 'Wait for it; if that machine is gone, delete this file.',
  })
}
