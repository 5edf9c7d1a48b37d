import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { withFileErrors } from '../../errors.js'
import { runFiles } from '../../runs/files.js'
import { beginLog, jobCommand, prepareJob } from '../job.js'
import { type Ending, killsForMemory, outcomeOf } from '../outcome.js'
import type { Launcher, LaunchJob, LaunchWatcher, Outcome } from './launcher.js'
import type { Slot } from './slots.js'

/** After so long a run that was asked to stop is killed: its checkpoint is whole at any moment. */
const graceMilliseconds = 20_000

/** One process a run on this machine, one run at a time in each slot. */
export function localLauncher(slots: readonly Slot[]): Launcher {
  return {
    description: describe(slots),
    launch: async (jobs, watcher, stop) => {
      const queue = jobs.values()
      await Promise.all(slots.map((slot) => work(slot, queue, watcher, stop)))
      return 'ended'
    },
  }
}

function describe(slots: readonly Slot[]): string {
  const names = [...new Set(slots.map(({ name }) => name))]
  const { threads } = slots[0]!
  return `${slots.length} at once on ${names.join(', ')}, ${threads} ${threads === 1 ? 'thread' : 'threads'} each`
}

/** The slots share one queue: each takes the next job when its last has ended. */
async function work(
  slot: Slot,
  queue: IterableIterator<LaunchJob>,
  watcher: LaunchWatcher,
  stop: AbortSignal,
): Promise<void> {
  for (const job of queue) {
    if (stop.aborted) return
    watcher.onStart(job, slot.name)
    watcher.onEnd(job, await runJob(job, slot, stop))
  }
}

/** What goes wrong with one run's folder or process is that run's failure. */
async function runJob(job: LaunchJob, slot: Slot, stop: AbortSignal): Promise<Outcome> {
  try {
    const killsBefore = await killsForMemory()
    await prepareJob(job)
    await beginLog(job)
    const ending = await runProcess(job, slot, stop)
    const outOfMemory = killsBefore !== null && ((await killsForMemory()) ?? 0) > killsBefore
    const killer = outOfMemory
      ? 'out of memory, says the kernel'
      : 'by a person or program, or for lack of memory'
    return await outcomeOf(job.folder, ending, stop.aborted, killer)
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), final: false }
  }
}

async function runProcess({ folder }: LaunchJob, slot: Slot, stop: AbortSignal): Promise<Ending> {
  const { log } = runFiles(folder)
  const output = await withFileErrors('write', log, () => open(log, 'a'))
  try {
    const [command, ...args] = jobCommand(folder, slot.threads)
    // In a group of its own: Ctrl-C goes to this process alone, and a run gets one signal, not two.
    const child = spawn(command!, args, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, ...slot.environment },
    })
    return await endingOf(child, stop)
  } finally {
    await output.close()
  }
}

async function endingOf(child: ReturnType<typeof spawn>, stop: AbortSignal): Promise<Ending> {
  let grace: NodeJS.Timeout | undefined
  const end = () => {
    child.kill('SIGTERM')
    grace = setTimeout(() => child.kill('SIGKILL'), graceMilliseconds)
  }
  if (stop.aborted) end()
  stop.addEventListener('abort', end)
  try {
    return await new Promise<Ending>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) =>
        resolve(signal === null ? { kind: 'exit', code: code! } : { kind: 'signal', signal }),
      )
    })
  } finally {
    stop.removeEventListener('abort', end)
    clearTimeout(grace)
  }
}
