import type { Config } from '../config/schema.js'

/** A run of a sweep that a launcher starts. */
export interface SweepRun {
  /** Its name in the plan: `eigen/seed-3`. */
  readonly name: string
  /** An absolute path, because the run's process may start in another working directory. */
  readonly folder: string
  readonly config: Config
  /** Its index, from 0, among the plan's runs that have the same config but for the seed. */
  readonly indexInArm: number
}

/** How an attempt at a run ended. */
export type Outcome =
  | { readonly kind: 'completed' }
  /** `final` if a second attempt would fail for the same reason: a mistake in a config, or missing data. */
  | { readonly kind: 'failed'; readonly reason: string; readonly final: boolean }
  /** The sweep stopped it. It can be resumed from its checkpoint. */
  | { readonly kind: 'interrupted' }

/** Receives the events of a launch: for each run a start, then either an end, or a requeue and another start. */
export interface LaunchWatcher {
  /** `where` is the device or the node, for display. */
  onStart(run: SweepRun, where: string): void
  onEnd(run: SweepRun, outcome: Outcome): void
  /** The run is waiting again because a cluster took its node away; it will resume from its checkpoint. */
  onRequeue(run: SweepRun, reason: string): void
  /** A message for people, such as the number of a job array, or why tasks are waiting. */
  onNote(text: string): void
}

/** `detached`: runs continue without this process, and `sweep --resume` follows them again. */
export type LaunchEnd = 'ended' | 'detached'

/** Starts the runs of a sweep, as processes of src/launchers/attempt.ts or src/launchers/runner.ts. */
export interface Launcher {
  /** For display: "2 at once on cpu, 1 thread each". */
  readonly description: string
  /**
   * Brings every run to an end. When `stop` is aborted, the running ones are ended so that they can be resumed, and no
   * other run starts.
   */
  launch(runs: readonly SweepRun[], watcher: LaunchWatcher, stop: AbortSignal): Promise<LaunchEnd>
}

export interface LaunchContext {
  readonly sweepFolder: string
  /** Asks on Ctrl-C about runs that could continue without this process. */
  readonly onInterrupt: () => Promise<'cancel' | 'detach'>
}

/** The values of --threads and of all launchers' flags; undefined for a flag that is not given. */
export interface LauncherSettings {
  readonly threads?: number
  readonly jobs?: number
  readonly jobsPerGpu?: number
  readonly replicas?: number
  readonly partition?: string
  readonly time?: string
  readonly mem?: string
  readonly gpusPerRun?: number
  readonly maxParallel?: number
  readonly sbatchArg?: readonly string[]
  readonly detach?: boolean
}

/** A flag of `eigenae sweep` that belongs to a launcher. */
export interface LauncherFlag {
  /** In commander's notation: "--max-parallel <number>". */
  readonly flag: string
  /** "count" is a whole number from 1, "texts" a flag that can be repeated. */
  readonly type: 'count' | 'text' | 'texts' | 'switch'
  readonly help: string
}

/** A launcher as the table in index.ts lists it. */
export interface LauncherKind {
  readonly flags: { readonly [key in keyof LauncherSettings]?: LauncherFlag }
  /** The number of threads of a run without --threads, for the help. */
  readonly defaultThreads: string
  /** @throws a usage error if the launcher cannot work with these settings or on this machine. */
  open(settings: LauncherSettings, runs: readonly SweepRun[], context: LaunchContext): Promise<Launcher>
}
