import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Override } from '../../config/load.js'
import { EigenaeError } from '../../errors.js'
import { type LauncherName, openLauncher } from '../../launchers/index.js'
import type { LauncherSettings } from '../../launchers/launcher.js'
import { ownCommand } from '../../runs/facts.js'
import { logName } from '../../runs/files.js'
import { inspectRuns, type RunState } from '../../sweeps/folder.js'
import type { SweepPlan } from '../../sweeps/plan.js'
import { executeSweep, inspectSweep, type SweepResult } from '../../sweeps/sweep.js'
import { eigenaeCommand } from '../../text/eigenae-command.js'
import { commandLine } from '../../text/format.js'
import { writeMessage } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'
import { compare } from '../compare.js'
import { abortOnSignals, interruptionOf } from '../shared/signals.js'
import { reasonLine, sweepDisplay } from './display.js'
import { writeDryRun } from './dry-run.js'

export interface SweepOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  readonly seeds: readonly number[] | undefined
  readonly out: string | undefined
  readonly launcher: LauncherName
  readonly settings: LauncherSettings
  readonly resume: boolean
  readonly dryRun: boolean
  readonly retries: number
  readonly failFast: boolean
  readonly json: boolean
}

/** Plans a sweep, trains the runs that are not done, and compares its arms. src/sweeps/sweep.ts describes the course. */
export async function sweep(options: SweepOptions): Promise<void> {
  const { config, overrides, seeds, out, resume, dryRun, json } = options
  const inspected = await inspectSweep({ config, overrides, seeds, out, resume: resume || dryRun })
  if (dryRun) return writeDryRun(inspected, json)
  const { plan, folder, missing } = inspected
  const display = sweepDisplay(missing, json)
  const launcher = await openLauncher(options.launcher, options.settings, missing, {
    sweepFolder: folder,
    onInterrupt: () => {
      display.stop()
      return askCancelOrDetach()
    },
  })
  const { retries, failFast } = options
  const { signal, release } = abortOnSignals(() => interruptionOf('sweep', folder, config))
  let result: SweepResult
  try {
    const execution = {
      launcher,
      launcherName: options.launcher,
      retries,
      failFast,
      command: ownCommand(),
      observer: display,
      signal,
    }
    result = await executeSweep(inspected, execution)
  } finally {
    display.stop()
    release()
  }
  signal.throwIfAborted()
  if (result.end === 'detached') return
  const states = missing.length === 0 ? inspected.states : inspectRuns(plan, folder).states
  if (!json) await writeComparison(plan, states, folder)
  if (result.counts.failed > 0) throw failureOf(result, plan.runs.length, folder)
}

/**
 * Asks whether the jobs of a cluster are to be cancelled. Without a terminal they continue: a lost connection to a login
 * node must not end a night's work.
 */
async function askCancelOrDetach(): Promise<'cancel' | 'detach'> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return 'detach'
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // While readline reads, a second Ctrl-C reaches readline rather than the process. It counts as "leave them running".
  const leave = new AbortController()
  terminal.on('SIGINT', () => leave.abort())
  try {
    const question = 'Jobs are still running. Cancel them (c), or leave them running (Enter)? '
    const answer = await terminal.question(question, { signal: leave.signal })
    return answer.trim().toLowerCase().startsWith('c') ? 'cancel' : 'detach'
  } catch {
    return 'detach'
  } finally {
    terminal.close()
  }
}

/** A larger table gives no overview, and takes long to compute. */
const comparisonLimits = { arms: 40, runs: 1000 }

/** Compares the sweep's arms, as `compare` with the sweep's folder does, if one has a completed run. */
async function writeComparison(plan: SweepPlan, states: readonly RunState[], folder: string): Promise<void> {
  if (!states.includes('done')) return
  if (plan.arms.length <= comparisonLimits.arms && plan.runs.length <= comparisonLimits.runs)
    await compare([folder], { json: false })
  const more = ['compare', folder, '--out', join(folder, 'comparison')]
  writeMessage(`more: ${eigenaeCommand(commandLine(more))}`)
  const best = ['best', folder, '--metric', 'test_denoise_mse']
  if (plan.sweep.search !== null) writeMessage(`best: ${eigenaeCommand(commandLine(best))}`)
}

// More rows would hide what they have in common.
const maxFailureRows = 30

/** Returns an error with a table of the failed runs. */
function failureOf({ failures, counts }: SweepResult, runs: number, folder: string): EigenaeError {
  const rows = failures
    .slice(0, maxFailureRows)
    .map(({ name, attempts, reason }) => [name, String(attempts), reasonLine(reason)])
  const table = alignedTable(rows, ['left', 'right', 'left'], ['run', 'attempts', 'reason'])
  const more = failures.length - rows.length
  return new EigenaeError({
    problem: `${counts.failed} of ${runs} runs failed`,
    subject: folder,
    details: [...table.split('\n'), ...(more > 0 ? [`… and ${more} more`] : [])],
    hint: `Each run's log is ${join(folder, '<run>', logName)}. Remove the cause, then remake these runs with --resume.`,
  })
}
