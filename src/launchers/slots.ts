import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { Config } from '../config/schema.js'
import { isOnGpu } from '../engines/select.js'
import { usageError } from '../errors.js'
import { queryNvidiaSmi, visibleIds } from '../setup/nvidia.js'
import { engineQueryCommand } from './attempt.js'

/** A share of this machine that trains one run at a time. */
export interface Slot {
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
  return createSlots(Array<string>(count).fill('cpu'), threads ?? shareOf(cores, count), () => ({}))
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
  return createSlots(
    used.map((id) => `gpu ${id}`),
    threads ?? shareOf(availableParallelism(), used.length),
    // Without growth TensorFlow takes all of a GPU's memory, so that a second run on it finds none.
    (index) => ({ ...environment, CUDA_VISIBLE_DEVICES: used[index]!, TF_FORCE_GPU_ALLOW_GROWTH: 'true' }),
    atOnce === null ? undefined : (index) => ids.indexOf(used[index]!),
  )
}

function createSlots(
  names: readonly string[],
  threads: number,
  environmentOf: (index: number) => Readonly<Record<string, string>>,
  runnerOf: (index: number) => number = (index) => index,
): readonly Slot[] {
  const libraries = { OMP_NUM_THREADS: String(threads), TF_NUM_INTRAOP_THREADS: String(threads) }
  return names.map((name, index) => ({
    name,
    threads,
    environment: { ...libraries, ...environmentOf(index) },
    runner: runnerOf(index),
  }))
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
  const [command, ...args] = engineQueryCommand
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
