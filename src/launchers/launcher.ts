import type { Config } from '../config/schema.js'

/** A run to be made, apart from the sweep's own process. */
export interface LaunchJob {
  /** As in the plan: `eigen/seed-3`. */
  readonly name: string
  readonly folder: string
  readonly config: Config
  /** Its place, from 0, among the plan's runs that differ from it in their seeds alone. */
  readonly sibling: number
}

/** How an attempt at a run ended. */
export type Outcome =
  | { readonly kind: 'completed' }
  /** `final` where a second attempt would fail alike: a mistake in a config or missing data. */
  | { readonly kind: 'failed'; readonly reason: string; readonly final: boolean }
  /** The sweep stopped it; it can go on from its checkpoint. */
  | { readonly kind: 'interrupted' }

/** What a launcher tells while it works, in this order for each job. */
export interface LaunchWatcher {
  /** `where`: the device or node, for people. */
  onStart(job: LaunchJob, where: string): void
  onEnd(job: LaunchJob, outcome: Outcome): void
  /** The job waits again (a cluster took its node away) and will go on from its checkpoint. */
  onRequeue(job: LaunchJob, why: string): void
  /** For people: an array's number, jobs that wait and why. */
  onNote(text: string): void
}

/** `detached`: jobs go on without this process, and `sweep --resume` finds them again. */
export type LaunchEnd = 'ended' | 'detached'

/**
 * Where runs are made: a file here, a row in index.ts, a row in tests/sweep-launchers.test.ts. It runs each job by
 * jobCommand (job.ts), or as commands/sweep/job.ts does: what is in the folder is resumed.
 */
export interface Launcher {
  /** For people: "2 at once on cpu, 1 thread each". */
  readonly description: string
  /**
   * Brings every job to an end. When `stop` is aborted the running ones are ended so that they can go on later, and no
   * other begins.
   */
  launch(jobs: readonly LaunchJob[], watcher: LaunchWatcher, stop: AbortSignal): Promise<LaunchEnd>
}
