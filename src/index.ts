/**
 * The functions of eigenae for scripts: `import { readRuns, train } from 'eigenae'`. The commands use the same ones. They
 * print nothing, throw an EigenaeError, and leave the handling of signals to the script. docs/api.md shows them in use.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { compareRuns as compareArms } from './comparison/compare.js'
import type { Comparison } from './comparison/comparison.js'
import { loadConfig, type Override, objectConfig } from './config/load.js'
import type { ConfigInput } from './config/schema.js'
import { parseSeeds } from './config/sweep.js'
import { type EigenaeError, Interruption, knownError, usageError } from './errors.js'
import { checkSettings, type LauncherName, openLauncher } from './launchers/index.js'
import type { LaunchContext, LauncherSettings, SweepRun } from './launchers/launcher.js'
import { ownCommand } from './runs/facts.js'
import { originOf } from './runs/files.js'
import { runNamed, runsNamedByAll } from './runs/find.js'
import {
  type Run,
  readRuns as readAllRuns,
  readRun as readAnyRun,
  readWholeRun,
  type WholeRun,
} from './runs/read.js'
import type { FolderUse } from './runs/resume.js'
import { executeSweep, inspectSweep, type SweepEvent, type SweepResult } from './sweeps/sweep.js'
import { trainRun } from './training/prepare.js'
import type { EpochReport } from './training/run.js'

export type { Arm, Comparison, Result } from './comparison/comparison.js'
export type { Config, ConfigInput } from './config/schema.js'
export { EigenaeError, Interruption } from './errors.js'
export type { Run, WholeRun } from './runs/read.js'
export type { RunRecord, RunStatus } from './runs/record.js'
export type { MetricsRow, SpectrumRow } from './runs/tables.js'
export type { SweepEvent } from './sweeps/sweep.js'
export type { EpochReport } from './training/run.js'

/**
 * Returns a run with its config, its metrics and its spectrum by epoch.
 * @param folder a run folder, or a folder that holds exactly one run
 * @throws EigenaeError if there is no run, or if it is damaged
 */
export async function readRun(folder: string): Promise<WholeRun> {
  return readWholeRun(await runNamed(folder, 'readRun'))
}

export interface ReadRunsOptions {
  /** Receives the error of each folder and run.json that cannot be read; they are left out. By default it is thrown. */
  readonly onUnreadable?: (error: EigenaeError) => void
}

/**
 * Returns all runs in one or several folders, at any depth, also those that are incomplete or damaged: see `status`.
 * @throws EigenaeError if a folder holds no run
 */
export async function readRuns(
  folders: string | readonly string[],
  { onUnreadable = rethrow }: ReadRunsOptions = {},
): Promise<readonly Run[]> {
  const found = await runsNamedByAll([folders].flat())
  for (const error of found.unreadable) onUnreadable(error)
  const runs = await readAllRuns(found.runs, (folder) =>
    readAnyRun(folder).catch((error: unknown) => {
      onUnreadable(knownError(error))
      return null
    }),
  )
  return runs.filter((run) => run !== null)
}

function rethrow(error: EigenaeError): never {
  throw error
}

export interface CompareOptions {
  /** The folder or the name of the arm that the others are tested against; by default the first one. */
  readonly baseline?: string
}

/**
 * Returns means, intervals and tests of arms, as `eigenae compare` prints them.
 * @param folders run folders, or folders of runs that differ only in their seeds: one arm each
 * @throws EigenaeError if the baseline has no completed run
 */
export async function compareRuns(
  folders: string | readonly string[],
  { baseline }: CompareOptions = {},
): Promise<Comparison> {
  return compareArms([folders].flat(), baseline)
}

/** Values by config path, such as { 'loss.eigen.weight': 0.5, seed: 3 }. */
export type Settings = Readonly<Record<string, unknown>>

export interface TrainOptions {
  /** A config file, or the config itself. */
  readonly config: string | ConfigInput
  /** Set over the config. */
  readonly set?: Settings
  /** The run folder; by default runs/<name>/seed-<seed>. */
  readonly out?: string
  /** Resume the run in the folder, or return it if it is complete. */
  readonly resume?: boolean
  /** Replace the run in the folder. */
  readonly overwrite?: boolean
  /** Cores to use, by default all. The results do not depend on it. */
  readonly threads?: number
  /** Called after each epoch. */
  readonly onEpoch?: (report: EpochReport) => void
  /** Receives the messages that the command prints: the device, notes and warnings. */
  readonly onMessage?: (message: string) => void
  /** Stops the run within a moment. `train` throws an Interruption that names the saved epoch: each reported one is saved. */
  readonly signal?: AbortSignal
}

/** Trains a run to its end and returns it. */
export async function train(options: TrainOptions): Promise<WholeRun> {
  const { onEpoch = () => {}, onMessage = () => {}, threads = availableParallelism() } = options
  const overrides = overridesOf(options.set)
  const config =
    typeof options.config === 'string'
      ? await loadConfig(options.config, overrides, originOf(options.config, overrides))
      : objectConfig(options.config, overrides)
  const folder = options.out ?? join('runs', config.name, `seed-${config.seed}`)
  const { signal, release } = interruptible(options.signal, folder, 'interrupted')
  const observer = { onEpochStart: () => {}, onProgress: () => {}, onEpoch }
  const request = { config, folder, use: useOf(options), threads, command: ownCommand() }
  try {
    signal.throwIfAborted()
    await trainRun(request, { note: onMessage, begin: () => ({ observer, signal, end: () => {} }) })
  } finally {
    release()
  }
  return readWholeRun(folder)
}

function useOf({ resume = false, overwrite = false }: TrainOptions): FolderUse {
  if (resume && overwrite) throw usageError({ problem: 'choose one of resume and overwrite' })
  return resume ? 'resume' : overwrite ? 'overwrite' : 'new'
}

export interface SweepOptions {
  /** A sweep file. */
  readonly config: string
  /** Set over the config of every run. */
  readonly set?: Settings
  /** Used instead of the file's: a list, or text like "0-9". */
  readonly seeds?: readonly number[] | string
  /** The sweep's folder; by default runs/<name>. */
  readonly out?: string
  /** Resume the sweep in the folder, or start it if there is none. */
  readonly resume?: boolean
  readonly launcher?: LauncherName
  /** The launcher's options by their names in camel case: { jobs: 2, threads: 1 }. */
  readonly settings?: LauncherSettings
  /** Retry a failed run this many times; 0 by default. */
  readonly retries?: number
  /** Stop all runs when one fails. */
  readonly failFast?: boolean
  /** Called with each event, as `eigenae sweep --json` prints them. */
  readonly onEvent?: (event: SweepEvent) => void
  /** Stops the runs within a moment. Their last complete epochs are saved, and `sweep` throws an Interruption. */
  readonly signal?: AbortSignal
}

export interface FinishedSweep extends SweepResult {
  readonly folder: string
  /** The folders of all runs of the sweep. */
  readonly runs: readonly string[]
}

/** Trains the runs of a sweep that are not complete. Failed runs are part of the result. */
export async function sweep(options: SweepOptions): Promise<FinishedSweep> {
  const { config, out, resume = false, launcher: launcherName = 'local', settings = {} } = options
  const { retries = 0, failFast = false, onEvent = () => {} } = options
  const overrides = overridesOf(options.set)
  const seeds = typeof options.seeds === 'string' ? parseSeeds(options.seeds, 'seeds') : options.seeds
  const inspected = await inspectSweep({ config, overrides, seeds, out, resume })
  const { folder, plan } = inspected
  checkSettings(launcherName, settings)
  const context: LaunchContext = { sweepFolder: folder, onInterrupt: async () => 'detach' }
  const open = (runs: readonly SweepRun[]) => openLauncher(launcherName, settings, runs, context)
  const problem = 'interrupted; the last completed epoch of each run is saved'
  const { signal, release } = interruptible(options.signal, folder, problem)
  const command = ownCommand()
  try {
    signal.throwIfAborted()
    const execution = { open, launcherName, retries, failFast, command, onEvent, signal }
    const result = await executeSweep(inspected, execution)
    signal.throwIfAborted()
    return { ...result, folder, runs: plan.runs.map(({ name }) => join(folder, name)) }
  } finally {
    release()
  }
}

function overridesOf(set: Settings = {}): readonly Override[] {
  return Object.entries(set).map(([path, value]) => ({ path: path.split('.'), value, flag: `set ${path}` }))
}

/** Turns a script's signal into one with the reason that runs expect. */
function interruptible(outer: AbortSignal | undefined, folder: string, problem: string) {
  const controller = new AbortController()
  const abort = () =>
    controller.abort(
      new Interruption({
        problem,
        subject: folder,
        hint: 'To resume, call the function again with resume: true.',
        cause: outer?.reason,
      }),
    )
  if (outer?.aborted) abort()
  outer?.addEventListener('abort', abort)
  return { signal: controller.signal, release: () => outer?.removeEventListener('abort', abort) }
}
