import { Command, Option } from 'commander'
import type { Override } from '../../config/override.js'
import { type LauncherName, type LaunchSettings, launcherNames } from '../../launchers/index.js'
import { collectSettings, deviceOption, threadCount, wholeNumber } from '../shared/options.js'
import { sweep } from './sweep.js'

interface SweepFlags extends LaunchSettings {
  readonly config: string
  readonly set: readonly Override[]
  readonly device?: string
  readonly out?: string
  readonly launcher: LauncherName
  readonly resume: boolean
  readonly dryRun: boolean
  readonly retries: number
  readonly failFast: boolean
  readonly json: boolean
}

const examples = `
Examples:
  eigenae sweep --config configs/sweeps/arms.json --dry-run
  eigenae sweep --config configs/sweeps/arms.json
  eigenae sweep --config configs/sweeps/arms.json --resume`

export function sweepCommand(): Command {
  const command = new Command('sweep')
    .description('Make many runs from one file: variants × grid × seeds')
    .requiredOption('--config <file>', 'sweep file (JSON)')
    .option('--set <path=value>', 'set a config field of every run, as often as needed', collectSettings, [])
    .addOption(deviceOption("where to train (default: the configs', or else auto)"))
    .option('--out <folder>', 'folder of the sweep (default: runs/<name>)')
    .option('--resume', 'resume the sweep in the folder, or start it if there is none', false)
    .option('--dry-run', 'list the runs, done and to do, and start nothing', false)
    .option('--retries <number>', 'try a failed run again so many times', wholeNumber('--retries', 0), 0)
    .option('--fail-fast', 'stop all at the first run that fails', false)
    .option('--json', 'print what happens as it happens, a JSON object a line', false)
    .addOption(new Option('--launcher <name>', 'where to run').choices(launcherNames).default('local'))
    .option(
      '--threads <number>',
      "cores a run uses (default: local, the machine's shared out; slurm, 1)",
      threadCount,
    )
  return addSlurmOptions(addLocalOptions(command))
    .addHelpText('after', examples)
    .action((flags: SweepFlags) => {
      const { config, set, device, out, launcher, resume, dryRun, retries, failFast, json, ...settings } =
        flags
      const forDevice = device === undefined ? [] : [{ path: ['device'], value: device, flag: '--device' }]
      const run = { resume, dryRun, retries, failFast, json }
      return sweep({ config, overrides: [...set, ...forDevice], out, launcher, settings, ...run })
    })
}

function addLocalOptions(command: Command): Command {
  return command
    .option(
      '--jobs <number>',
      'local: runs at once (default: a run a core, or a run a GPU)',
      wholeNumber('--jobs', 1),
    )
    .option(
      '--jobs-per-gpu <number>',
      'local: runs that share a GPU (default: 1)',
      wholeNumber('--jobs-per-gpu', 1),
    )
    .option(
      '--replicas <number>',
      'local, cuda and tensorflow-cpu: seeds of a config that train side by side (default: 1)',
      wholeNumber('--replicas', 1),
    )
}

function addSlurmOptions(command: Command): Command {
  return command
    .option('--partition <name>', "slurm: partition (default: the cluster's)")
    .option('--time <limit>', "slurm: a run's time limit, as sbatch takes it (default: the partition's)")
    .option('--mem <size>', "slurm: a run's memory, as sbatch takes it (default: the partition's)")
    .option(
      '--gpus-per-run <number>',
      'slurm: GPUs a run (default: 1 with --device cuda, else 0)',
      wholeNumber('--gpus-per-run', 1),
    )
    .option(
      '--max-parallel <number>',
      'slurm: runs at once (default: as many as fit)',
      wholeNumber('--max-parallel', 1),
    )
    .option('--sbatch-arg <argument>', 'slurm: one more argument of sbatch, as often as needed', collectWords)
    .option('--detach', 'slurm: submit and leave; --resume follows them again')
}

function collectWords(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, word]
}
