import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Command, Option } from 'commander'
import { differenceLabels, differingFields } from '../comparison/labels.js'
import { configDifferences, settingAt } from '../config/paths.js'
import { configJson } from '../config/schema.js'
import { parseSeeds } from '../config/sweep.js'
import { EigenaeError } from '../errors.js'
import {
  type AcceptedFlag,
  checkSettings,
  defaultThreads,
  launcherFlags,
  launcherNames,
  openLauncher,
} from '../launchers/index.js'
import type { LauncherSettings } from '../launchers/launcher.js'
import { ownCommand } from '../runs/facts.js'
import { logName } from '../runs/files.js'
import { metrics } from '../runs/metrics.js'
import { inspectStage, type RunState } from '../sweeps/folder.js'
import { plannedRungs } from '../sweeps/halving.js'
import type { Arm, SweepPlan } from '../sweeps/plan.js'
import { executeSweep, type InspectedSweep, inspectSweep, type SweepResult } from '../sweeps/sweep.js'
import { commandLine, eigenaeCommand } from '../text/command-line.js'
import { count, thousands } from '../text/format.js'
import {
  resultSpace,
  writeJsonLine,
  writeLines,
  writeMessage,
  writeResult,
  writeWarning,
} from '../text/output.js'
import { truncateDistinct, widestOf } from '../text/shorten.js'
import { alignedTable } from '../text/table.js'
import { abbreviated } from './compare.js'
import {
  collectSettings,
  deviceOption,
  type FlagsOf,
  fieldOverride,
  threadCount,
  wholeNumber,
} from './shared/options.js'
import { abortOnSignals, interruptionOf } from './shared/signals.js'
import { reasonLine, sweepDisplay } from './sweep-display.js'

const examples = `
Examples:
  eigenae sweep --config configs/sweeps/arms.json --dry-run
  eigenae sweep --config configs/sweeps/arms.json
  eigenae sweep --config configs/sweeps/arms.json --resume --seeds 0-9`

export function sweepCommand() {
  const command = declaration()
  for (const flag of launcherFlags) command.addOption(launcherOption(flag))
  const settings = ['threads', ...launcherFlags.map(({ key }) => key)]
  return command
    .addHelpText('after', examples)
    .action((flags) =>
      sweep(flags, Object.fromEntries(settings.map((key) => [key, command.opts()[key as never]]))),
    )
}

function declaration() {
  return new Command('sweep')
    .description('Train many runs from one file: variants × grid × trials × seeds')
    .requiredOption('--config <file>', 'sweep file (JSON)')
    .option('--set <path=value>', 'set one config field of every run (repeatable)', collectSettings, [])
    .option('--seeds <range>', "seeds of each arm, like 0-9 or 0-4,7 (default: the sweep file's)", (text) =>
      parseSeeds(text, '--seeds'),
    )
    .addOption(deviceOption("where to train (default: the configs', or else auto)"))
    .option('--out <folder>', 'folder of the sweep (default: runs/<name>)')
    .option('--resume', 'resume the sweep in the folder, or start it if there is none', false)
    .option('--dry-run', 'list the runs, done and to do, and start nothing', false)
    .option('--retries <number>', 'retry a failed run this many times', wholeNumber('--retries', 0), 0)
    .option('--fail-fast', 'stop all runs when one fails', false)
    .option('--json', 'print each event as it happens, one JSON object per line', false)
    .addOption(new Option('--launcher <name>', 'where to run').choices(launcherNames).default('local'))
    .option('--threads <number>', `cores per run (default: ${defaultThreads})`, threadCount)
}

function launcherOption({ flag, type, help, launcher }: AcceptedFlag): Option {
  const option = new Option(flag, `${launcher}: ${help}`)
  if (type === 'count') option.argParser(wholeNumber(option.long!, 1))
  if (type === 'texts') option.argParser((text: string, before: readonly string[] = []) => [...before, text])
  return option
}

/** Plans a sweep, trains the runs that are not done, and prints the best arms. src/sweeps/sweep.ts describes the course. */
async function sweep(flags: FlagsOf<typeof declaration>, settings: LauncherSettings): Promise<void> {
  const { config, set, device, seeds, out, resume, dryRun, retries, failFast, json } = flags
  checkSettings(flags.launcher, settings)
  const overrides = [...set, ...fieldOverride('--device', 'device', device)]
  const inspected = await inspectSweep({ config, overrides, seeds, out, resume: resume || dryRun })
  if (dryRun) return writeDryRun(inspected, json)
  const { plan, folder, stage, missing } = inspected
  const display = sweepDisplay(missing, json)
  const context = {
    sweepFolder: folder,
    onInterrupt: () => {
      display.stop()
      return askCancelOrDetach()
    },
  }
  const { signal, release } = abortOnSignals(() => interruptionOf('sweep', folder, config))
  let result: SweepResult
  try {
    result = await executeSweep(inspected, {
      open: (runs) => openLauncher(flags.launcher, settings, runs, context),
      launcherName: flags.launcher,
      retries,
      failFast,
      command: ownCommand(),
      onEvent: display.onEvent,
      signal,
    })
  } finally {
    display.stop()
    release()
  }
  signal.throwIfAborted()
  if (result.end === 'detached') return
  const { states } = missing.length === 0 ? stage : inspectStage(plan, folder)
  if (!json) await writeBestArms(plan, states, folder)
  if (result.counts.failed > 0) throw failureOf(result, plan.runs.length, folder)
}

const dryRunColumns = 100

/** Prints a line for every run of a plan: its name, whether it is done, and its settings that are not in its name. */
function writeDryRun({ plan, stage: { states }, folder }: InspectedSweep, json: boolean): void {
  const rungs = plannedRungs(plan)
  const differing = differencesByArm(plan)
  const rows = plan.runs.map(({ name, arm, config }, index) => ({
    run: name,
    differs: { ...differing.get(arm), seed: config.seed },
    folder: join(folder, name),
    state: states[index] === 'done' ? 'done' : 'to do',
  }))
  if (json) {
    for (const row of rows) writeJsonLine({ event: 'run', ...row })
    for (const rung of rungs) writeJsonLine({ event: 'planned-rung', ...rung })
    return
  }
  const settings = settingsBesideNames(plan)
  const hasSettings = plan.arms.some((arm) => settings.get(arm) !== '')
  const names = truncateDistinct(
    rows.map(({ run }) => run),
    hasSettings ? dryRunColumns / 2 : dryRunColumns - 'to do'.length - 2,
  )
  const differs = truncateDistinct(
    plan.runs.map(({ arm }) => settings.get(arm)!),
    Math.max(0, dryRunColumns - widestOf(names) - 'to do'.length - 4),
  )
  writeResult(
    alignedTable(
      rows.map(({ state }, index) => [names[index]!, state, differs[index]!]),
      ['left', 'left', 'left'],
      ['run', 'state', hasSettings ? 'what differs' : ''],
    ),
  )
  for (const note of plan.notes) writeMessage(`note: ${note}`)
  for (const [index, { epochs, trials, runs }] of rungs.entries())
    writeMessage(
      `rung ${index + 1}: ${count(trials, 'trial')}, ${count(runs, 'run')} to ${count(epochs, 'epoch')}`,
    )
  const done = states.filter((state) => state === 'done').length
  writeMessage(
    `${folder}: ${count(plan.runs.length, 'run')}: ${thousands(done)} done, ${thousands(plan.runs.length - done)} to do`,
  )
}

/** Returns, for each arm, its values of the fields that differ between arms. */
function differencesByArm({ arms }: SweepPlan): ReadonlyMap<Arm, Record<string, unknown>> {
  const configs = new Map(arms.map((arm) => [arm, configJson(arm.config)]))
  const first = configs.get(arms[0]!)!
  const paths = new Set<string>()
  for (const config of configs.values()) {
    for (const { path } of configDifferences(first, config)) paths.add(path)
  }
  const shown = [...paths].filter((path) => !['name', 'seed'].includes(path) && !hasParentIn(paths, path))
  return new Map(
    arms.map((arm) => [
      arm,
      Object.fromEntries(shown.map((path) => [path, settingAt(configs.get(arm)!, path)])),
    ]),
  )
}

function hasParentIn(paths: ReadonlySet<string>, path: string): boolean {
  const keys = path.split('.')
  return keys.some((_, depth) => depth > 0 && paths.has(keys.slice(0, depth).join('.')))
}

/** Returns the settings that distinguish each arm and are not in its name: "learningRate=0.003" of a trial. */
function settingsBesideNames({ arms }: SweepPlan): ReadonlyMap<Arm, string> {
  const configs = arms.map(({ config }) => config)
  const swept = arms.flatMap(({ settings }) => settings.map(({ path }) => path))
  const kinds = differingFields(configs).paths.filter((path) => /\.(eigen|kind)$/.test(path))
  const labels = differenceLabels(configs, 0, new Set([...swept, ...kinds]))
  return new Map(
    arms.map((arm, index) => {
      const named = arm.name.split(',')
      const isNamed = (setting: string) => named.some((part) => part.endsWith(`.${setting}`))
      const others = labels[index]!.split(' ').filter((setting) => !isNamed(setting))
      return [arm, others.join(' ')]
    }),
  )
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

// A comparison of more runs takes long to compute.
const mostCompared = 1000

// As many as can be read at a glance.
const mostBest = 5

/** Prints the sweep's best arms and the commands that compare and choose them, if one has a completed run. */
async function writeBestArms(plan: SweepPlan, states: readonly RunState[], folder: string): Promise<void> {
  if (!states.includes('done')) return
  // Imported here so that a sweep starts without loading the statistics.
  const { compareRuns } = await import('../comparison/compare.js')
  const { choosingMetric } = await import('../comparison/selection.js')
  const { choiceNotes } = await import('../comparison/comparison-tables.js')
  const { bestLines } = await import('../comparison/terminal.js')
  const sort = metrics.find((each) => each === plan.sweep.search?.halving?.metric)
  if (plan.runs.length <= mostCompared) {
    const comparison = await compareRuns([folder], undefined, sort && { sort })
    for (const warning of abbreviated(comparison.warnings)) writeWarning(warning)
    writeLines(bestLines(comparison, mostBest, resultSpace().columns))
    for (const note of choiceNotes(comparison)) writeMessage(note)
  }
  const more = ['compare', folder, '--out', join(folder, 'comparison')]
  writeMessage(`more: ${eigenaeCommand(commandLine(more))}`)
  const metric = sort ?? choosingMetric(plan.runs)
  const best = ['best', folder, '--metric', metric]
  if (plan.arms.length > 1) writeMessage(`best: ${eigenaeCommand(commandLine(best))}`)
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
