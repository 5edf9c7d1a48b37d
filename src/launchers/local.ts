import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { Config } from '../config/schema.js'
import { isOnGpu, requireSetUp, trainsSideBySide } from '../engines/select.js'
import { usageError } from '../errors.js'
import { queryNvidiaSmi, visibleIds } from '../setup/nvidia.js'
import { count } from '../text/format.js'
import { beginLog, countMemoryKills, hiddenCommand, outcomeOf, prepareRun } from './attempt.js'
import type { Launcher, LauncherKind, LaunchWatcher, SweepRun } from './launcher.js'
import { Runner } from './runner.js'

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
          if (runner?.isAlive !== true) runner = new Runner(slot.environment)
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
      watcher.onEnd(run, outcomeOf(run.folder, ending, stop.aborted, killer))
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

/** A share of this machine that trains one run at a time. */
interface Slot {
  /** For display: "cpu", "gpu 1". */
  readonly name: string
  readonly threads: number
  readonly environment: Readonly<Record<string, string>>
  /** Slots with the same number share a runner process. */
  readonly runner: number
}

interface SlotRequest {
  readonly configs: readonly Config[]
  /** The number of runs, or of groups of replicas: more slots would stay empty. */
  readonly runs: number
  readonly jobs?: number | undefined
  /** By default as many as keep the GPU busy if it trains runs of one process side by side, or else 1. */
  readonly jobsPerGpu?: number | undefined
  readonly threads?: number | undefined
}

/** Returns GPU slots if a config's device is on a GPU, or if it is "auto" and that means a GPU; otherwise CPU slots. */
export async function slotsFor(request: SlotRequest): Promise<readonly Slot[]> {
  const devices = new Set(request.configs.map(({ device }) => device))
  const gpuDevice = [...devices].find(isOnGpu)
  if (gpuDevice === undefined && !devices.has('auto')) return cpuSlots(request)
  const gpus = await findGpus()
  if (gpus.ids.length > 0) {
    const { onGpu, atOnce } = await askForEngine(request.configs, gpus.environment)
    if (gpuDevice !== undefined || onGpu) return gpuSlots(request, gpus, atOnce)
  }
  if (gpuDevice === undefined) return cpuSlots(request)
  throw usageError({
    problem: `no GPU was found (${gpus.absence})`,
    subject: `--device ${gpuDevice}`,
    hint: 'Check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu.',
  })
}

/** One core per run if there are enough runs: threads within a run wait for each other at every batch, runs never do. */
function cpuSlots({ runs, jobs, threads }: SlotRequest): readonly Slot[] {
  const cores = availableParallelism()
  const count = Math.max(1, Math.min(runs, jobs ?? Math.floor(cores / (threads ?? 1))))
  return Array.from({ length: count }, (_, index) =>
    slotOf('cpu', threads ?? shareOf(cores, count), {}, index),
  )
}

/** @param atOnce runs of one process that a GPU trains at the same time; null if each run needs a process */
function gpuSlots(
  { runs, jobs, jobsPerGpu, threads }: SlotRequest,
  { ids, environment }: Gpus,
  atOnce: number | null,
): readonly Slot[] {
  // While some runs write their files, as many others can train.
  const perGpu = jobsPerGpu ?? (atOnce === null ? 1 : 2 * atOnce)
  const available = Array.from({ length: perGpu }, () => ids).flat()
  if (jobs !== undefined && jobs > available.length) {
    throw usageError({
      problem: `${jobs} runs at once need more than ${ids.length} GPUs with ${perGpu} each`,
      subject: '--jobs',
      hint: 'Let several runs share a GPU with --jobs-per-gpu.',
    })
  }
  const used = available.slice(0, Math.max(1, Math.min(runs, jobs ?? available.length)))
  const share = threads ?? shareOf(availableParallelism(), used.length)
  return used.map((id, index) => {
    // Without growth TensorFlow takes all of a GPU's memory, so that a second run on it finds none.
    const card = { ...environment, CUDA_VISIBLE_DEVICES: id, TF_FORCE_GPU_ALLOW_GROWTH: 'true' }
    return slotOf(`gpu ${id}`, share, card, atOnce === null ? index : ids.indexOf(id))
  })
}

function slotOf(name: string, threads: number, card: Slot['environment'], runner: number): Slot {
  const libraries = { OMP_NUM_THREADS: String(threads), TF_NUM_INTRAOP_THREADS: String(threads) }
  return { name, threads, environment: { ...libraries, ...card }, runner }
}

function shareOf(cores: number, slots: number): number {
  return Math.max(1, Math.floor(cores / slots))
}

// Opening a device may reserve a whole GPU, so another process answers which engine the runs will have: the hidden command
// `sweep-engine`, which reads the configs from its stdin.

export interface EngineAnswer {
  /** Whether every run will occupy a GPU. */
  readonly onGpu: boolean
  /** The number of runs of one process that the engine trains at the same time; null if each run needs a process. */
  readonly atOnce: number | null
}

/** Asks on a machine with the GPUs that `environment` makes visible. */
function askForEngine(configs: readonly Config[], environment: Gpus['environment']): Promise<EngineAnswer> {
  // One config of each network, because the seeds and weights of a sweep do not change the engine.
  const byNetwork = new Map(
    configs.map((config) => [
      JSON.stringify([config.device, config.model, config.train, config.loss]),
      config,
    ]),
  )
  const [command, ...args] = hiddenCommand('sweep-engine')
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment }
    const child = execFile(command!, args, { env }, (error, stdout) =>
      // If no engine can be opened, each run reports the reason.
      resolve(error === null ? JSON.parse(stdout) : { onGpu: false, atOnce: null }),
    )
    child.stdin!.on('error', () => undefined) // It has ended early, and the callback knows why.
    child.stdin!.end(JSON.stringify([...byNetwork.values()]))
  })
}

interface Gpus {
  /** In the notation of CUDA_VISIBLE_DEVICES. */
  readonly ids: readonly string[]
  /** The reason if there are no ids. */
  readonly absence: string
  /** The variables with which CUDA counts GPUs as the source of the ids does. */
  readonly environment: Readonly<Record<string, string>>
}

/** Returns the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES if a scheduler has set it, or else all. */
export async function findGpus(environment: NodeJS.ProcessEnv = process.env): Promise<Gpus> {
  const visible = environment.CUDA_VISIBLE_DEVICES
  if (visible !== undefined)
    return { ids: visibleIds(visible), absence: `CUDA_VISIBLE_DEVICES="${visible}"`, environment: {} }
  const report = await queryNvidiaSmi()
  if (report.kind === 'gpus') {
    const ids = report.gpus.map(({ index }) => index)
    // CUDA's own order is fastest first; nvidia-smi lists GPUs in the order of the bus.
    return { ids, absence: 'nvidia-smi lists none', environment: { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } }
  }
  const absence = report.kind === 'absent' ? 'nvidia-smi is not installed' : `nvidia-smi: ${report.reason}`
  return { ids: [], absence, environment: {} }
}
