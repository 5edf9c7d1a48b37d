import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { configText } from '../config/schema.js'
import { exitCode } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { isLocked, releaseLock } from '../files/lock.js'
import { readLastText, readTextIfPresent } from '../files/read.js'
import { appendToLog, writeDurably } from '../files/write.js'
import { packageRoot } from '../package-root.js'
import { runFiles } from '../runs/files.js'
import { claimRunFolder, lengthenedRecord, recognise } from '../runs/resume.js'
import { writeMessage } from '../text/output.js'
import type { Outcome, SweepRun } from './launcher.js'

// An attempt at a run: its folder is prepared, a process trains it, and the way that process ended decides the outcome.

/** Returns the command line of one of the hidden commands, which are in src/commands/sweep-processes.ts. */
export function hiddenCommand(
  name: 'sweep-engine' | 'sweep-runner' | 'sweep-job',
  ...args: readonly string[]
): readonly string[] {
  return [process.execPath, join(packageRoot, 'bin', 'eigenae.js'), name, ...args]
}

/** Writes the config before the run starts, so that the folder records which run it was to hold, whatever happens. */
export async function prepareRun({ folder, config }: SweepRun): Promise<void> {
  const files = runFiles(folder)
  await makeFolder(folder)
  const text = configText(config)
  if (readTextIfPresent(files.config) === text) return
  const found = recognise(files, config)
  if (found.kind !== 'shorter') return writeDurably(files.config, text)
  await waitForOtherProcess(folder)
  await claimRunFolder(folder, config, 'resume', lengthenedRecord(found.record, config))
  await releaseLock(files.lock)
}

const attemptMark = '--- attempt'

/** Appends the first line of an attempt to the run's log. */
export function beginLog({ folder }: SweepRun): void {
  appendToLog(runFiles(folder).log, `${attemptMark} ${new Date().toISOString()}\n`)
}

/** The same line, for a shell script on the node that trains the run. */
export const beginLogInShell = `echo "${attemptMark} $(date -u +%FT%TZ) on $(hostname)"`

const lockPollMilliseconds = 500

/**
 * Waits until no other process trains this run. There may be one: the runs of a killed sweep continue, and a cluster
 * requeues a task while its lost node still runs it. The next attempt resumes where that process ends.
 */
export async function waitForOtherProcess(folder: string): Promise<void> {
  const { lock } = runFiles(folder)
  for (let waited = false; await isLocked(lock); waited = true) {
    if (!waited) writeMessage(`${lock}: another process is training this run, waiting for it to end`)
    await setTimeout(lockPollMilliseconds)
  }
}

/** How a run's process ended, in Node's terms. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
  /** Why the process could not be started. */
  readonly notStarted?: string
}

/**
 * Returns the outcome of an attempt. `mayRetry` in sweeps/sweep.ts decides whether another one follows.
 * @param stopped whether the sweep itself ended the process
 * @param killer who may have sent a SIGKILL, for the reason of the failure
 */
export function outcomeOf(folder: string, ending: Ending, stopped: boolean, killer: string): Outcome {
  const { code, signal, notStarted } = ending
  if (notStarted !== undefined) return { kind: 'failed', reason: notStarted, final: false }
  if (code === 0) return { kind: 'completed' }
  if (stopped && (signal !== null || code === exitCode.interrupted)) return { kind: 'interrupted' }
  const reason = failureReason(ending, lastAttemptLog(folder), killer)
  return { kind: 'failed', reason, final: code === exitCode.usage }
}

/** Messages about too little memory, by V8, C++ and CUDA. */
const outOfMemory =
  /heap out of memory|not enough memory|allocation failed|Invalid typed array length|bad_alloc|Cannot allocate memory|ENOMEM|OUT_OF_MEMORY|OOM when/

function failureReason({ code, signal }: Ending, log: string, killer: string): string {
  const message = lastMessage(log)
  const memory = outOfMemory.exec(log)
  if (memory !== null) return `out of memory: ${message ?? memory[0]}`
  if (signal === 'SIGKILL') return `killed by SIGKILL: ${killer}`
  if (signal !== null) return `ended by ${signal}`
  if (code !== exitCode.interrupted) return message ?? `exit code ${code}`
  return `stopped by a signal from outside${message === null ? '' : `: ${message}`}`
}

/** Returns the error with which the last attempt of a run ended, by its log; null if it printed none. */
export function loggedError(folder: string): string | null {
  const log = lastAttemptLog(folder)
  return log.includes(errorStart) ? lastMessage(log) : null
}

/** Printed by src/cli.ts before an error. */
const errorStart = 'eigenae: '

/** Returns the error that src/cli.ts printed, or else the last line; null if the log is empty. */
function lastMessage(log: string): string | null {
  const start = log.lastIndexOf(errorStart)
  if (start >= 0) return log.slice(start + errorStart.length).trim()
  return log.trim().split('\n').at(-1) || null
}

// A run may have filled its log with a gigabyte.
const logTailBytes = 8192

function lastAttemptLog(folder: string): string {
  let log: string
  try {
    log = readLastText(runFiles(folder).log, logTailBytes) ?? ''
  } catch {
    return ''
  }
  const start = log.lastIndexOf(attemptMark)
  return start < 0 ? log : log.slice(log.indexOf('\n', start) + 1)
}

/** Returns how many processes the kernel has killed for lack of memory since boot; null if it does not count them. */
export async function countMemoryKills(): Promise<number | null> {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '')
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1]
  return count === undefined ? null : Number(count)
}
