import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileErrors } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { jsonText, syncTree, writeDurably } from '../files/write.js'
import { installationFile, requireTrusted, rootOf, type Software } from './installation.js'
import type { SetupObserver } from './wheels.js'

export interface SetupJob<Installed> {
  /** Python with pip; undefined for python3. */
  readonly python: string | undefined
  /** Throws unless the software works. */
  readonly check: (installed: Installed) => Promise<void>
  /** Called with the versions of the tools once all are found, before anything is downloaded. */
  readonly onTools: (summary: string) => void
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

export interface SetupResult {
  readonly folder: string
  /** Whether it was installed before; it was then only checked again. */
  readonly already: boolean
}

/** The steps of a setup that are those of its software alone. */
interface SetupSteps<Installed> {
  readonly software: Software
  readonly folder: string
  /** Returns the installation in the folder. @throws EigenaeError if there is none, or if it is damaged. */
  readonly find: () => Installed
  /** Returns the versions found. @throws EigenaeError with everything that is missing. */
  readonly findTools: (python: string) => Promise<readonly string[]>
  /** Returns the entries of the folder that a broken setup has left complete. */
  readonly reusable: () => Promise<readonly string[]>
  /** Returns the installation, and what installation.json records of it. */
  readonly install: (python: string) => Promise<{ readonly installed: Installed; readonly record: object }>
}

/**
 * Installs software in a folder of its own. An installation that fails the check is installed again; complete parts of an
 * earlier, broken setup are reused.
 * @throws EigenaeError with what is missing or what failed; the signal's reason if it is aborted.
 */
export async function setUp<Installed>(
  { software, folder, find, findTools, reusable, install }: SetupSteps<Installed>,
  { python = 'python3', check, onTools, signal }: SetupJob<Installed>,
): Promise<SetupResult> {
  // Also for the files of pip, npm and the compiler: no other user may write into the folder.
  process.umask(process.umask() | 0o022)
  requireTrusted(software, [rootOf(software), folder])
  const existing = orNull(find)
  const failure = existing === null ? null : await failureOf(check(existing), signal)
  if (existing !== null && failure === null) return { folder, already: true }
  const tools = await findTools(python).catch((error) => {
    throw failure ?? error
  })
  onTools(tools.join(' · '))
  await makeFolder(folder)
  const lock = `${folder}.lock`
  await acquireLock(lock)
  try {
    await withFileErrors('clean up', folder, async () => removeAllBut(await reusable(), folder))
    const { installed, record } = await install(python)
    await check(installed)
    await syncTree(folder)
    // Last, because an installation is only found once it has passed the check.
    await writeDurably(installationFile(folder), jsonText(record))
  } finally {
    // Fails, as intended, if the folder holds anything.
    await rmdir(folder).catch(() => {})
    await releaseLock(lock)
  }
  return { folder, already: false }
}

function orNull<T>(find: () => T): T | null {
  try {
    return find()
  } catch {
    return null
  }
}

/** Returns the error of a failed check; null if it passes. @throws the signal's reason if it is aborted. */
async function failureOf(check: Promise<void>, signal: AbortSignal): Promise<unknown> {
  try {
    await check
    return null
  } catch (error) {
    signal.throwIfAborted()
    return error
  }
}

/** Removes installation.json first, so that the rest is never taken for an installation. */
async function removeAllBut(kept: readonly string[], folder: string): Promise<void> {
  await rm(installationFile(folder), { force: true })
  for (const name of await readdir(folder).catch(() => []))
    if (!kept.includes(name)) await rm(join(folder, name), { recursive: true, force: true })
}
