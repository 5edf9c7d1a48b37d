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

/** A flag with its key in the settings and the launcher that accepts it. */
export interface AcceptedFlag extends LauncherFlag {
  readonly key: keyof LauncherSettings
  readonly launcher: LauncherName
}

export const launcherFlags: readonly AcceptedFlag[] = launcherNames.flatMap((launcher) =>
  Object.entries(launchers[launcher].flags).map(([key, flag]) => ({
    ...flag,
    key: key as keyof LauncherSettings,
    launcher,
  })),
)

/** The default number of threads per launcher, for the help: "local, …; slurm, 1". */
export const defaultThreads = launcherNames
  .map((name) => `${name}, ${launchers[name].defaultThreads}`)
  .join('; ')

/** @throws a usage error if one of the settings belongs to another launcher. */
export function checkSettings(name: LauncherName, settings: LauncherSettings): void {
  const foreign = launcherFlags.find(({ key, launcher }) => settings[key] !== undefined && launcher !== name)
  if (foreign === undefined) return
  throw usageError({
    problem: `requires --launcher ${foreign.launcher}`,
    subject: foreign.flag.split(' ')[0]!,
    hint: 'Leave the flag out, or choose that launcher.',
  })
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
