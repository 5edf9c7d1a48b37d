import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { devices, type RequestedDevice } from '../config/schema.js'
import { isOnGpu } from '../engines/select.js'
import { usageError } from '../errors.js'
import { findGpus, type Gpus } from './gpus.js'
import { deviceCommand } from './job.js'

/** A place where one run at a time is made. */
export interface Slot {
  /** For people: "cpu", "gpu 1". */
  readonly name: string
  readonly threads: number
  readonly environment: Readonly<Record<string, string>>
}

export interface SlotWishes {
  /** Devices that the configs ask for. */
  readonly devices: ReadonlySet<RequestedDevice>
  /** Runs there are: more places would stay empty. */
  readonly runs: number
  readonly jobs: number | undefined
  readonly jobsPerGpu: number
  readonly threads: number | undefined
}

/** GPUs where a config asks for one, or leaves it open on a machine that has some; cores otherwise. */
export async function slotsFor(wishes: SlotWishes): Promise<readonly Slot[]> {
  const { devices } = wishes
  const asked = [...devices].find(isOnGpu)
  if (asked === undefined && !devices.has('auto')) return coreSlots(wishes)
  const gpus = await findGpus()
  const wanted = asked !== undefined || (gpus.ids.length > 0 && (await autoIsOnGpu()))
  if (gpus.ids.length > 0 && wanted) return gpuSlots(wishes, gpus)
  if (asked === undefined) return coreSlots(wishes)
  throw usageError({
    problem: `no GPU was found (${gpus.source})`,
    subject: `--device ${asked}`,
    hint: 'Look at what nvidia-smi and CUDA_VISIBLE_DEVICES say, or take --device cpu.',
  })
}

/** A GPU in the machine does not mean that there is an engine for it. */
async function autoIsOnGpu(): Promise<boolean> {
  const [command, ...args] = deviceCommand
  const answer = await promisify(execFile)(command!, args).catch(() => null)
  return devices.some((device) => device === answer?.stdout.trim() && isOnGpu(device))
}

/**
 * A core a run, as long as there are runs enough: threads within a run wait for each other at every batch, runs never.
 */
function coreSlots({ runs, jobs, threads }: SlotWishes): readonly Slot[] {
  const cores = availableParallelism()
  const atOnce = Math.max(1, Math.min(runs, jobs ?? Math.floor(cores / (threads ?? 1))))
  return slots(Array<string>(atOnce).fill('cpu'), threads ?? shareOf(cores, atOnce), () => ({}))
}

function gpuSlots(
  { runs, jobs, jobsPerGpu, threads }: SlotWishes,
  { ids, environment }: Gpus,
): readonly Slot[] {
  const places = Array.from({ length: jobsPerGpu }, () => ids).flat()
  if (jobs !== undefined && jobs > places.length) {
    throw usageError({
      problem: `${jobs} runs at once need more than ${ids.length} GPUs with ${jobsPerGpu} each`,
      subject: '--jobs',
      hint: 'Several runs share a GPU with --jobs-per-gpu.',
    })
  }
  const used = places.slice(0, Math.max(1, Math.min(runs, jobs ?? places.length)))
  return slots(
    used.map((id) => `gpu ${id}`),
    threads ?? shareOf(availableParallelism(), used.length),
    // Without growth TensorFlow takes the whole GPU, so that a second run on it finds nothing.
    (place) => ({ ...environment, CUDA_VISIBLE_DEVICES: used[place]!, TF_FORCE_GPU_ALLOW_GROWTH: 'true' }),
  )
}

function slots(
  names: readonly string[],
  threads: number,
  environment: (place: number) => Readonly<Record<string, string>>,
): readonly Slot[] {
  const libraries = { OMP_NUM_THREADS: String(threads), TF_NUM_INTRAOP_THREADS: String(threads) }
  return names.map((name, place) => ({ name, threads, environment: { ...libraries, ...environment(place) } }))
}

function shareOf(cores: number, atOnce: number): number {
  return Math.max(1, Math.floor(cores / atOnce))
}
