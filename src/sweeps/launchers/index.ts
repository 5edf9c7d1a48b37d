import { usageError } from '../../errors.js'
import type { Launcher, LaunchJob } from './launcher.js'
import { localLauncher } from './local.js'
import { slotsFor } from './slots.js'

/** What the command line says of how runs are launched; absent where it says nothing. */
export interface LaunchSettings {
  readonly threads?: number
  readonly jobs?: number
  readonly jobsPerGpu?: number
}

export type LauncherName = 'local'

interface Row {
  /** Settings that mean something to it, besides `threads`. */
  readonly takes: readonly (keyof LaunchSettings)[]
  /** @throws a usage error where it cannot work here. */
  readonly open: (
    settings: LaunchSettings,
    jobs: readonly LaunchJob[],
    sweepFolder: string,
  ) => Promise<Launcher>
}

/** Every launcher. Another one is a file beside local.ts and a row here. */
const launchers: Readonly<Record<LauncherName, Row>> = {
  local: {
    takes: ['jobs', 'jobsPerGpu'],
    open: async ({ jobs: atOnce, jobsPerGpu = 1, threads }, jobs) => {
      const devices = new Set(jobs.map(({ config }) => config.device))
      return localLauncher(await slotsFor({ devices, runs: jobs.length, jobs: atOnce, jobsPerGpu, threads }))
    },
  },
}

export const launcherNames = Object.keys(launchers) as readonly LauncherName[]

/** @throws a usage error where the launcher cannot work here; where nothing is to do none is needed. */
export async function openLauncher(
  name: LauncherName,
  settings: LaunchSettings,
  jobs: readonly LaunchJob[],
  sweepFolder: string,
): Promise<Launcher> {
  if (jobs.length === 0) return { description: 'nothing to do', launch: async () => 'ended' }
  return launchers[name].open(settings, jobs, sweepFolder)
}

/** @throws a usage error where a setting belongs to another launcher. */
export function checkSettings(name: LauncherName, settings: LaunchSettings): void {
  for (const key of Object.keys(settings) as (keyof LaunchSettings)[]) {
    const others = launcherNames.filter((other) => launchers[other].takes.includes(key))
    if (settings[key] === undefined || key === 'threads' || others.includes(name)) continue
    throw usageError({
      what: `is for the launcher ${others.join(' or ')}, not for ${name}`,
      where: flagOf(key),
    })
  }
}

/** gpusPerRun → --gpus-per-run */
function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
