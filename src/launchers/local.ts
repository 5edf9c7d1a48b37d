import { requireSetUp, trainsSideBySide } from '../engines/select.js'
import { usageError } from '../errors.js'
import { count } from '../text/format.js'
import { beginLog, countMemoryKills, outcomeOf, prepareRun } from './attempt.js'
import type { Launcher, LauncherKind, LaunchWatcher, SweepRun } from './launcher.js'
import { Runner } from './runner.js'
import { type Slot, slotsFor } from './slots.js'

/** Trains the runs on this machine, one runner process per slot. */
export const local: LauncherKind = {
  flags: {
    jobs: {
      flag: '--jobs <number>',
      type: 'count',
      help: 'runs at once (default: one per core, or one per GPU)',
    },
    jobsPerGpu: {
      flag: '--jobs-per-gpu <number>',
      type: 'count',
      help: 'runs that share a GPU (default: as many as keep it busy with the CUDA core, otherwise 1)',
    },
    replicas: {
      flag: '--replicas <number>',
      type: 'count',
      help: 'on cuda and tensorflow-cpu, seeds of an arm that train side by side (default: 1)',
    },
  },
  defaultThreads: "an equal share of the machine's cores",
  open: async ({ jobs, jobsPerGpu, replicas = 1, threads }, runs) => {
    const devices = new Set(runs.map(({ config }) => config.device))
    const single = [...devices].filter((device) => !trainsSideBySide(device))
    // The C++ core keeps a core busy with one run. Training side by side pays if one run is too small for the device.
    if (replicas > 1 && single.length > 0) {
      throw usageError({
        problem: `the device ${single.join(' and ')} trains one run at a time`,
        subject: '--replicas',
        hint: 'Leave it out, or choose --device cuda or --device tensorflow-cpu.',
      })
    }
    for (const device of devices) requireSetUp(device)
    const groups = groupReplicas(runs, replicas).length
    const configs = runs.map(({ config }) => config)
    return localLauncher(await slotsFor({ configs, runs: groups, jobs, jobsPerGpu, threads }), replicas)
  },
}

/**
 * Groups runs whose configs differ only in their seeds, at most `replicas` together. Groups are formed by the index in
 * the whole plan, so that a resumed sweep, in which some runs are complete, trains the others with the same neighbours.
 */
function groupReplicas(runs: readonly SweepRun[], replicas: number): readonly (readonly SweepRun[])[] {
  if (replicas === 1) return runs.map((run) => [run])
  const groups = new Map<string, SweepRun[]>()
  for (const run of runs) {
    const key = JSON.stringify([Math.floor(run.indexInArm / replicas), { ...run.config, seed: null }])
    groups.set(key, [...(groups.get(key) ?? []), run])
  }
  return [...groups.values()]
}

function localLauncher(slots: readonly Slot[], replicas: number): Launcher {
  return {
    description: describeSlots(slots, replicas),
    launch: async (runs, watcher, stop) => {
      const queue = groupReplicas(runs, replicas).values()
      /** Trains in slots that share a runner, which is started again if a run crashes it. */
      const workTogether = async (sharing: readonly Slot[]) => {
        let runner: Runner | undefined
        const runnerOf = (slot: Slot) => {
          if (runner?.isAlive !== true) runner = new Runner(slot)
          return runner
        }
        const work = async (slot: Slot) => {
          for (const group of queue) {
            if (stop.aborted) break
            await trainGroup(group, replicas, slot, runnerOf, watcher, stop)
          }
        }
        await Promise.all(sharing.map(work))
        runner?.release()
      }
      const runners = [...new Set(slots.map(({ runner }) => runner))]
      await Promise.all(runners.map((each) => workTogether(slots.filter(({ runner }) => runner === each))))
      return 'ended'
    },
  }
}

function describeSlots(slots: readonly Slot[], replicas: number): string {
  const names = [...new Set(slots.map(({ name }) => name))]
  const runners = new Set(slots.map(({ runner }) => runner)).size
  const sharing =
    runners < slots.length
      ? `, side by side in ${runners === 1 ? 'one process' : `${runners} processes`}`
      : ''
  const sideBySide = replicas === 1 ? sharing : `, up to ${replicas} seeds side by side in each`
  const cores = `${count(slots[0]!.threads, 'thread')} each`
  return `${slots.length} at once on ${names.join(', ')}${sideBySide}, ${cores}`
}

/** Trains the runs of a group together. A run whose folder or log cannot be written has failed. */
async function trainGroup(
  group: readonly SweepRun[],
  replicas: number,
  slot: Slot,
  runnerOf: (slot: Slot) => Runner,
  watcher: LaunchWatcher,
  stop: AbortSignal,
): Promise<void> {
  for (const run of group) watcher.onStart(run, slot.name)
  const ready: SweepRun[] = []
  for (const run of group) {
    try {
      await prepareRun(run)
      beginLog(run)
      ready.push(run)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      watcher.onEnd(run, { kind: 'failed', reason, final: false })
    }
  }
  if (ready.length === 0) return
  const killsBefore = await countMemoryKills()
  const runs = ready.map(({ folder, indexInArm }) => ({ folder, replica: indexInArm % replicas }))
  const endings = runnerOf(slot).train({ runs, replicas, threads: slot.threads }, stop)
  await Promise.all(
    ready.map(async (run, index) => {
      const ending = await endings[index]!
      const killer = await describeKiller(killsBefore)
      watcher.onEnd(run, await outcomeOf(run.folder, ending, stop.aborted, killer))
    }),
  )
}

/** Returns who may have sent a SIGKILL: the kernel if it has killed a process since `killsBefore` was counted. */
async function describeKiller(killsBefore: number | null): Promise<string> {
  const outOfMemory = killsBefore !== null && ((await countMemoryKills()) ?? 0) > killsBefore
  return outOfMemory
    ? 'the kernel reports that it ran out of memory'
    : 'by a person or program, or for lack of memory'
}
