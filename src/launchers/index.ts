import { usageError } from '../errors.js'
import type {
  LaunchContext,
  Launcher,
  LauncherFlag,
  LauncherKind,
  LauncherSettings,
  SweepRun,
} from './launcher.js'
import { local } from './local.js'
import { slurm } from './slurm/index.js'

/** All launchers. To add one, write a file like local.ts, and add a row here and in tests/sweep-launchers.test.ts. */
const launchers = { local, slurm } as const satisfies Readonly<Record<string, LauncherKind>>

export type LauncherName = keyof typeof launchers

export const launcherNames = Object.keys(launchers) as readonly LauncherName[]

/** A flag with the launchers that accept it. */
export interface AcceptedFlag extends LauncherFlag {
  readonly key: string
  readonly acceptedBy: readonly LauncherName[]
}

/** The flags of all launchers; one that several launchers declare is listed once. */
export const launcherFlags: readonly AcceptedFlag[] = [
  ...new Map(launcherNames.flatMap((name) => Object.entries<LauncherFlag>(launchers[name].flags))),
].map(([key, flag]) => ({
  ...flag,
  key,
  acceptedBy: launcherNames.filter((name) => Object.hasOwn(launchers[name].flags, key)),
}))

/** The default number of threads per launcher, for the help: "local, …; slurm, 1". */
export const defaultThreads = launcherNames
  .map((name) => `${name}, ${launchers[name].defaultThreads}`)
  .join('; ')

/** @throws a usage error if one of the settings belongs to another launcher. */
export function checkSettings(name: LauncherName, settings: LauncherSettings): void {
  for (const { key, flag, acceptedBy } of launcherFlags) {
    if (settings[key] === undefined || acceptedBy.includes(name)) continue
    throw usageError({
      problem: `requires --launcher ${acceptedBy.join(' or ')}`,
      subject: flag.split(' ')[0]!,
      hint: 'Leave the flag out, or choose that launcher.',
    })
  }
}

/** @throws a usage error if the launcher cannot work here. Without runs none is needed, so nothing is checked. */
export async function openLauncher(
  name: LauncherName,
  settings: LauncherSettings,
  runs: readonly SweepRun[],
  context: LaunchContext,
): Promise<Launcher> {
  if (runs.length === 0) return { description: 'nothing to do', launch: async () => 'ended' }
  return launchers[name].open(settings, runs, context)
}
