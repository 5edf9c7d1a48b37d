import { beginLog, prepareJob } from '../job.js'
import { killsForMemory, outcomeOf } from '../outcome.js'
import type { Launcher, LaunchJob, LaunchWatcher, Outcome } from './launcher.js'
import { Runner } from './runner.js'
import type { Slot } from './slots.js'

/** On this machine, one run at a time in each slot. */
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
  let runner: Runner | undefined
  for (const job of queue) {
    if (stop.aborted) break
    if (runner?.isAlive !== true) runner = new Runner(slot)
    watcher.onStart(job, slot.name)
    watcher.onEnd(job, await runJob(job, runner, stop))
  }
  runner?.release()
}

/** What goes wrong with one run's folder or process is that run's failure. */
async function runJob(job: LaunchJob, runner: Runner, stop: AbortSignal): Promise<Outcome> {
  try {
    const killsBefore = await killsForMemory()
    await prepareJob(job)
    await beginLog(job)
    const ending = await runner.make(job.folder, stop)
    const outOfMemory = killsBefore !== null && ((await killsForMemory()) ?? 0) > killsBefore
    const killer = outOfMemory
      ? 'out of memory, says the kernel'
      : 'by a person or program, or for lack of memory'
    return await outcomeOf(job.folder, ending, stop.aborted, killer)
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), final: false }
  }
}
