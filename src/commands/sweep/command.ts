import { Command, Option } from 'commander'
import type { Override } from '../../config/load.js'
import { parseSeeds } from '../../config/sweep.js'
import { usageError } from '../../errors.js'
import {
  type AcceptedFlag,
  checkSettings,
  defaultThreads,
  type LauncherName,
  launcherFlags,
  launcherNames,
} from '../../launchers/index.js'
import type { LauncherSettings } from '../../launchers/launcher.js'
import { collectSettings, deviceOption, threadCount, wholeNumber } from '../shared/options.js'
import { sweep } from './sweep.js'

interface SweepFlags {
  readonly config: string
  readonly set: readonly Override[]
  readonly device?: string
  readonly seeds?: readonly number[]
  readonly out?: string
  readonly launcher: LauncherName
  readonly resume: boolean
  readonly dryRun: boolean
  readonly retries: number
  readonly failFast: boolean
  readonly json: boolean
  readonly threads?: number
}

const examples = `
Examples:
  eigenae sweep --config configs/sweeps/arms.json --dry-run
  eigenae sweep --config configs/sweeps/arms.json
  eigenae sweep --config configs/sweeps/arms.json --resume --seeds 0-9`

export function sweepCommand(): Command {
  const ofLaunchers = launcherFlags.map(launcherOption)
  const command = new Command('sweep')
    .description('Train many runs from one file: variants × grid × trials × seeds')
    .requiredOption('--config <file>', 'sweep file (JSON)')
    .option('--set <path=value>', 'set one config field of every run (repeatable)', collectSettings, [])
    .option('--seeds <range>', "seeds of each arm, like 0-9 or 0-4,7 (default: the sweep file's)", seedRange)
    .addOption(deviceOption("where to train (default: the configs', or else auto)"))
    .option('--out <folder>', 'folder of the sweep (default: runs/<name>)')
    .option('--resume', 'resume the sweep in the folder, or start it if there is none', false)
    .option('--dry-run', 'list the runs, done and to do, and start nothing', false)
    .option('--retries <number>', 'retry a failed run this many times', wholeNumber('--retries', 0), 0)
    .option('--fail-fast', 'stop all runs when one fails', false)
    .option('--json', 'print each event as it happens, one JSON object per line', false)
    .addOption(new Option('--launcher <name>', 'where to run').choices(launcherNames).default('local'))
    .option('--threads <number>', `cores per run (default: ${defaultThreads})`, threadCount)
  for (const { option } of ofLaunchers) command.addOption(option)
  return command.addHelpText('after', examples).action((flags: SweepFlags) => {
    const { launcher, threads, set, device } = flags
    const given = ofLaunchers.map(({ key, option }) => [key, command.getOptionValue(option.attributeName())])
    const settings: LauncherSettings = { threads, ...Object.fromEntries(given) }
    checkSettings(launcher, settings)
    const deviceOverride = device === undefined ? [] : [{ path: ['device'], value: device, flag: '--device' }]
    return sweep({
      config: flags.config,
      overrides: [...set, ...deviceOverride],
      seeds: flags.seeds,
      out: flags.out,
      launcher,
      settings,
      resume: flags.resume,
      dryRun: flags.dryRun,
      retries: flags.retries,
      failFast: flags.failFast,
      json: flags.json,
    })
  })
}

/** Parses --seeds. */
function seedRange(text: string): readonly number[] {
  const seeds = parseSeeds(text)
  if (typeof seeds !== 'string') return seeds
  throw usageError({ problem: `${seeds} (got "${text}")`, subject: '--seeds' })
}

interface LauncherOption {
  /** The flag's key in the launcher's settings. */
  readonly key: string
  readonly option: Option
}

function launcherOption({ key, flag, type, help, acceptedBy }: AcceptedFlag): LauncherOption {
  const option = new Option(flag, `${acceptedBy.join(', ')}: ${help}`)
  if (type === 'count') option.argParser(wholeNumber(option.long!, 1))
  if (type === 'texts') option.argParser((text: string, before: readonly string[] = []) => [...before, text])
  return { key, option }
}
