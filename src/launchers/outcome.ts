import { readFile } from 'node:fs/promises'
import { exitCode } from '../errors.js'
import { readLastText } from '../files/read.js'
import { runFiles } from '../runs/files.js'
import { lastAttempt } from './job.js'
import type { Outcome } from './launcher.js'

/** How a run's process ended. */
export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** It could not be started. */
  | { readonly kind: 'nothing'; readonly reason: string }

/** Signs of too little memory in what a run said: V8's, C++'s and CUDA's. */
const outOfMemory =
  /heap out of memory|not enough memory|allocation failed|Invalid typed array length|bad_alloc|Cannot allocate memory|ENOMEM|OUT_OF_MEMORY|OOM when/

const tailBytes = 8192

/** What an ending means for the sweep. `killer` says who may have sent a SIGKILL. */
export async function outcomeOf(
  folder: string,
  ending: Ending,
  stopped: boolean,
  killer: string,
): Promise<Outcome> {
  if (ending.kind === 'nothing') return { kind: 'failed', reason: ending.reason, final: false }
  if (ending.kind === 'exit' && ending.code === 0) return { kind: 'completed' }
  const bySignal = ending.kind === 'signal' || ending.code === exitCode.interrupted
  if (bySignal && stopped) return { kind: 'interrupted' }
  const said = lastAttempt(logTail(runFiles(folder).log))
  const final = ending.kind === 'exit' && ending.code === exitCode.usage
  return { kind: 'failed', reason: reasonOf(ending, said, killer), final }
}

function reasonOf(ending: Exclude<Ending, { kind: 'nothing' }>, said: string, killer: string): string {
  const message = lastMessage(said)
  if (outOfMemory.test(said)) return `out of memory: ${message ?? outOfMemory.exec(said)![0]}`
  if (ending.kind === 'signal') {
    return ending.signal === 'SIGKILL' ? `killed by SIGKILL: ${killer}` : `ended by ${ending.signal}`
  }
  if (ending.code === exitCode.interrupted)
    return 'stopped by a signal from outside; its last whole epoch is saved'
  return message ?? `exit code ${ending.code}`
}

/** What src/cli.ts printed of an error, or else the last thing that was said. */
function lastMessage(said: string): string | null {
  const at = said.lastIndexOf('eigenae: ')
  if (at >= 0) return said.slice(at + 'eigenae: '.length).trim()
  return said.trim().split('\n').at(-1) || null
}

/** The end of a log; of a run that filled its own with a gigabyte, too. */
function logTail(file: string): string {
  try {
    return readLastText(file, tailBytes) ?? ''
  } catch {
    return ''
  }
}

/** How many processes the kernel has killed for lack of memory since it booted; null where it does not say. */
export async function killsForMemory(): Promise<number | null> {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '')
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1]
  return count === undefined ? null : Number(count)
}
