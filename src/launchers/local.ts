import { beginLog, countMemoryKills, outcomeOf, prepareRun } from './attempt.js'
import type { Launcher, LaunchWatcher, Outcome, SweepRun } from './launcher.js'
import { Runner } from './runner.js'
import type { Slot } from './slots.js'

/** Trains the runs on this machine, one runner process per slot. */
export function localLauncher(slots: readonly Slot[], replicas: number): Launcher {
  return {
    description: describeSlots(slots, replicas),
    launch: async (runs, watcher, stop) => {
      const queue = groupReplicas(runs, replicas).values()
      await Promise.all(slots.map((slot) => work(slot, replicas, queue, watcher, stop)))
      return 'ended'
    },
  }
}

function describeSlots(slots: readonly Slot[], replicas: number): string {
  const names = [...new Set(slots.map(({ name }) => name))]
  const { threads } = slots[0]!
  const sideBySide = replicas === 1 ? '' : `, up to ${replicas} seeds side by side in each`
  const cores = `${threads} ${threads === 1 ? 'thread' : 'threads'} each`
  return `${slots.length} at once on ${names.join(', ')}, ${cores}${sideBySide}`
}

/**
 * Groups runs whose configs differ only in their seeds, at most `replicas` together. Groups are formed by the index in
 * the whole plan, so that a resumed sweep, in which some runs are complete, trains the others with the same neighbours.
 */
export function groupReplicas(runs: readonly SweepRun[], replicas: number): readonly (readonly SweepRun[])[] {
  if (replicas === 1) return runs.map((run) => [run])
  const groups = new Map<string, SweepRun[]>()
  for (const run of runs) {
    const key = JSON.stringify([Math.floor(run.indexInArm / replicas), { ...run.config, seed: null }])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [run])
    else group.push(run)
  }
  return [...groups.values()]
}

/** Trains one group after another in a slot. All slots share one queue. */
async function work(
  slot: Slot,
  replicas: number,
  queue: IterableIterator<readonly SweepRun[]>,
  watcher: LaunchWatcher,
  stop: AbortSignal,
): Promise<void> {
  let runner: Runner | undefined
  for (const group of queue) {
    if (stop.aborted) break
    for (const run of group) watcher.onStart(run, slot.name)
    const ready = await prepareAll(group, watcher)
    if (ready.length === 0) continue
    const killsBefore = await countMemoryKills()
    if (runner?.isAlive !== true) runner = new Runner(slot)
    const runs = ready.map(({ folder, indexInArm }) => ({ folder, replica: indexInArm % replicas }))
    const endings = runner.train({ runs, replicas, threads: slot.threads }, stop)
    await Promise.all(
      ready.map(async (run, index) => {
        const ending = await endings[index]!
        watcher.onEnd(
          run,
          await outcomeOf(run.folder, ending, stop.aborted, await describeKiller(killsBefore)),
        )
      }),
    )
  }
  runner?.release()
}

/** Returns the runs whose folders are ready. The others have failed. */
async function prepareAll(runs: readonly SweepRun[], watcher: LaunchWatcher): Promise<readonly SweepRun[]> {
  const ready: SweepRun[] = []
  for (const run of runs) {
    const failure = await prepare(run)
    if (failure === null) ready.push(run)
    else watcher.onEnd(run, failure)
  }
  return ready
}

/** Returns the failure of a run whose folder or log cannot be written; null if both can. */
async function prepare(run: SweepRun): Promise<Outcome | null> {
  try {
    await prepareRun(run)
    beginLog(run)
    return null
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), final: false }
  }
}

/** Returns who may have sent a SIGKILL: the kernel if it has killed a process since `killsBefore` was counted. */
async function describeKiller(killsBefore: number | null): Promise<string> {
  const outOfMemory = killsBefore !== null && ((await countMemoryKills()) ?? 0) > killsBefore
  return outOfMemory
    ? 'the kernel reports that it ran out of memory'
    : 'by a person or program, or for lack of memory'
}
