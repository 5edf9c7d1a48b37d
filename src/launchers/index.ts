import type { RequestedDevice } from '../config/schema.js'
import { isOnGpu, requireSetUp, trainsSideBySide } from '../engines/select.js'
import { usageError } from '../errors.js'
import type { Launcher, SweepRun } from './launcher.js'
import { groupReplicas, localLauncher } from './local.js'
import { slotsFor } from './slots.js'
import { type SlurmContext, type SlurmSettings, slurmLauncher } from './slurm/index.js'

/** What the command line says of how runs are launched; absent where it says nothing. */
export interface LaunchSettings extends SlurmSettings {
  readonly jobs?: number
  readonly jobsPerGpu?: number
  readonly replicas?: number
}

export type LauncherName = 'local' | 'slurm'

interface Row {
  /** Settings that mean something to it. */
  readonly takes: readonly (keyof LaunchSettings)[]
  /** @throws a usage error where it cannot work here. */
  readonly open: (
    settings: LaunchSettings,
    jobs: readonly SweepRun[],
    context: SlurmContext,
  ) => Promise<Launcher>
}

/** Every launcher. Another one is a file or folder beside local.ts and a row here. */
const launchers: Readonly<Record<LauncherName, Row>> = {
  local: {
    takes: ['threads', 'jobs', 'jobsPerGpu', 'replicas'],
    open: async ({ jobs: atOnce, jobsPerGpu = 1, threads, replicas = 1 }, jobs) => {
      const devices = devicesOf(jobs)
      if (replicas > 1) refuseReplicas(devices)
      for (const device of devices) requireSetUp(device)
      const runs = groupReplicas(jobs, replicas).length
      const slots = await slotsFor({ devices, runs, jobs: atOnce, jobsPerGpu, threads })
      return localLauncher(slots, replicas)
    },
  },
  slurm: {
    takes: ['threads', 'partition', 'time', 'mem', 'gpusPerRun', 'maxParallel', 'sbatchArg', 'detach'],
    open: (settings, jobs, context) => {
      const gpusPerRun = settings.gpusPerRun ?? ([...devicesOf(jobs)].some(isOnGpu) ? 1 : undefined)
      return slurmLauncher({ ...settings, ...(gpusPerRun && { gpusPerRun }) }, context)
    },
  },
}

/** The C++ core keeps a core busy with one run; side by side pays where one is too small for the device. */
function refuseReplicas(devices: ReadonlySet<RequestedDevice>): void {
  const others = [...devices].filter((device) => !trainsSideBySide(device))
  if (others.length === 0) return
  throw usageError({
    problem: `the device ${others.join(' and ')} trains one run at a time`,
    subject: '--replicas',
    hint: 'Leave it out, or say --device cuda or --device tensorflow-cpu.',
  })
}

function devicesOf(jobs: readonly SweepRun[]): ReadonlySet<RequestedDevice> {
  return new Set(jobs.map(({ config }) => config.device))
}

export const launcherNames = Object.keys(launchers) as readonly LauncherName[]

/** @throws a usage error where the launcher cannot work here; where nothing is to do none is needed. */
export async function openLauncher(
  name: LauncherName,
  settings: LaunchSettings,
  jobs: readonly SweepRun[],
  context: SlurmContext,
): Promise<Launcher> {
  if (jobs.length === 0) return { description: 'nothing to do', launch: async () => 'ended' }
  return launchers[name].open(settings, jobs, context)
}

/** @throws a usage error where a setting belongs to another launcher. */
export function checkSettings(name: LauncherName, settings: LaunchSettings): void {
  for (const key of Object.keys(settings) as (keyof LaunchSettings)[]) {
    const takers = launcherNames.filter((other) => launchers[other].takes.includes(key))
    if (settings[key] === undefined || takers.includes(name)) continue
    const hint = `Leave it out, or say --launcher ${takers.join(' or ')}.`
    throw usageError({ problem: `means nothing to the launcher ${name}`, subject: flagOf(key), hint })
  }
}

/** gpusPerRun → --gpus-per-run */
function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
