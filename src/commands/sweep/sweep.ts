import { join, resolve } from 'node:path'
import type { Override } from '../../config/override.js'
import { readSweepFile } from '../../config/sweep.js'
import { releaseLock } from '../../files/lock.js'
import { checkSettings, type LauncherName, type LaunchSettings, openLauncher } from '../../launchers/index.js'
import type { LaunchJob } from '../../launchers/launcher.js'
import { executeSweep, type SweepResult } from '../../sweeps/execute.js'
import { claimSweepFolder, inspectSweepFolder } from '../../sweeps/folder.js'
import { inspectRuns } from '../../sweeps/inspect.js'
import { type PlannedRun, planSweep } from '../../sweeps/plan.js'
import { abortOnSignals } from '../shared/signals.js'
import { askCancelOrDetach } from './ask.js'
import { writeComparison } from './comparison.js'
import { sweepDisplay } from './display.js'
import { writePlan } from './dry-run.js'
import { failureOf, interruptionOf, planChanges } from './report.js'

export interface SweepOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  readonly out: string | undefined
  readonly launcher: LauncherName
  readonly settings: LaunchSettings
  readonly resume: boolean
  readonly dryRun: boolean
  readonly retries: number
  readonly failFast: boolean
  readonly json: boolean
}

/** Plans a sweep, makes the runs that are to do, and sets its groups side by side. */
export async function sweep(options: SweepOptions): Promise<void> {
  checkSettings(options.launcher, options.settings)
  const plan = await planSweep(await readSweepFile(options.config), options.overrides)
  const folder = options.out ?? join('runs', plan.sweep.name)
  const saved = await inspectSweepFolder(folder, plan, options.resume || options.dryRun)
  const { states, damage } = inspectRuns(plan, folder)
  if (options.dryRun) return writePlan(plan, states, folder, options.json)
  const jobs = launchJobs(plan.runs, folder).filter((_, place) => states[place] !== 'done')
  const display = sweepDisplay(jobs, options.json)
  const launcher = await openLauncher(options.launcher, options.settings, jobs, {
    sweepFolder: folder,
    onInterrupt: () => {
      display.stop()
      return askCancelOrDetach()
    },
  })
  const files = await claimSweepFolder(folder, plan)
  const { signal, release } = abortOnSignals(() => interruptionOf(folder, options.config))
  let result: SweepResult
  try {
    const [runs, done] = [plan.runs.length, plan.runs.length - jobs.length]
    const { description } = launcher
    const planned = { sweep: plan.sweep.name, folder, runs, done, launcher: options.launcher, description }
    display.on({ event: 'planned', ...planned })
    const remade = [...(saved?.damage ?? []), ...damage].map((line) => `damaged, so it is remade: ${line}`)
    for (const text of [...plan.notes, ...planChanges(plan, saved), ...remade])
      display.on({ event: 'note', text })
    const { retries, failFast } = options
    result = await executeSweep({ jobs, launcher, retries, failFast, observer: display, signal })
  } finally {
    display.stop()
    release()
    await releaseLock(files.lock)
  }
  signal.throwIfAborted()
  if (result.end === 'detached') return
  const statesNow = jobs.length === 0 ? states : inspectRuns(plan, folder).states
  if (!options.json) await writeComparison(plan, statesNow, folder)
  if (result.counts.failed > 0) throw failureOf(result, plan.runs.length, folder)
}

/** With paths that hold wherever a process starts. */
function launchJobs(runs: readonly PlannedRun[], folder: string): readonly LaunchJob[] {
  const siblings = new Map<string, number>()
  return runs.map(({ name, config }) => {
    const key = JSON.stringify({ ...config, seed: null })
    const sibling = siblings.get(key) ?? 0
    siblings.set(key, sibling + 1)
    return { name, folder: resolve(folder, name), config, sibling }
  })
}
