import { beginLog, prepareJob } from './job.js'
import type { Launcher, LaunchJob, LaunchWatcher, Outcome } from './launcher.js'
import { killsForMemory, outcomeOf } from './outcome.js'
import { Runner } from './runner.js'
import type { Slot } from './slots.js'

/**
 * On this machine.
 * @param replicas how many seeds of one config train side by side in a slot
 */
export function localLauncher(slots: readonly Slot[], replicas = 1): Launcher {
  return {
    description: describe(slots, replicas),
    launch: async (jobs, watcher, stop) => {
      const queue = ordersOf(jobs, replicas).values()
      await Promise.all(slots.map((slot) => work({ ...slot, replicas }, queue, watcher, stop)))
      return 'ended'
    },
  }
}

function describe(slots: readonly Slot[], replicas: number): string {
  const names = [...new Set(slots.map(({ name }) => name))]
  const { threads } = slots[0]!
  const sideBySide = replicas === 1 ? '' : `, up to ${replicas} seeds side by side in each`
  const cores = `${threads} ${threads === 1 ? 'thread' : 'threads'} each`
  return `${slots.length} at once on ${names.join(', ')}, ${cores}${sideBySide}`
}

/**
 * Jobs whose configs differ in their seeds alone, at most so many together: those that a whole plan puts together, so
 * that a resumed sweep, of which some are done, trains the others in the same company.
 */
export function ordersOf(jobs: readonly LaunchJob[], replicas: number): readonly (readonly LaunchJob[])[] {
  const orders = new Map<string, LaunchJob[]>()
  for (const job of jobs) {
    const group = Math.floor(job.sibling / replicas)
    const key = replicas === 1 ? job.folder : JSON.stringify([group, { ...job.config, seed: null }])
    const order = orders.get(key)
    if (order === undefined) orders.set(key, [job])
    else order.push(job)
  }
  return [...orders.values()]
}

/** The slots share one queue: each takes the next order when its last has ended. */
async function work(
  slot: Slot & { readonly replicas: number },
  queue: IterableIterator<readonly LaunchJob[]>,
  watcher: LaunchWatcher,
  stop: AbortSignal,
): Promise<void> {
  let runner: Runner | undefined
  for (const jobs of queue) {
    if (stop.aborted) break
    for (const job of jobs) watcher.onStart(job, slot.name)
    const ready = await prepareAll(jobs, watcher)
    if (ready.length === 0) continue
    const killsBefore = await killsForMemory()
    if (runner?.isAlive !== true) runner = new Runner(slot)
    const runs = ready.map(({ folder, sibling }) => ({ folder, place: sibling % slot.replicas }))
    const endings = runner.make({ runs, replicas: slot.replicas, threads: slot.threads }, stop)
    await Promise.all(
      ready.map(async (job, place) => {
        const ending = await endings[place]!
        watcher.onEnd(job, await outcomeOf(job.folder, ending, stop.aborted, await killerOf(killsBefore)))
      }),
    )
  }
  runner?.release()
}

/** The jobs that can start; of the others it is told why not. */
async function prepareAll(jobs: readonly LaunchJob[], watcher: LaunchWatcher): Promise<readonly LaunchJob[]> {
  const ready: LaunchJob[] = []
  for (const job of jobs) {
    const failure = await prepare(job)
    if (failure === null) ready.push(job)
    else watcher.onEnd(job, failure)
  }
  return ready
}

/** What goes wrong with one run's folder is that run's failure. */
async function prepare(job: LaunchJob): Promise<Outcome | null> {
  try {
    await prepareJob(job)
    beginLog(job)
    return null
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), final: false }
  }
}

/** Who may have sent a SIGKILL. */
async function killerOf(killsBefore: number | null): Promise<string> {
  const outOfMemory = killsBefore !== null && ((await killsForMemory()) ?? 0) > killsBefore
  return outOfMemory ? 'out of memory, says the kernel' : 'by a person or program, or for lack of memory'
}
