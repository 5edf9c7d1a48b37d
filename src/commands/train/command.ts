import { Command } from 'commander'
import type { Override } from '../../config/load.js'
import { usageError } from '../../errors.js'
import type { FolderUse } from '../../runs/resume.js'
import { collectSettings, deviceOption, fieldOverride, threadsOption } from '../shared/options.js'
import { train } from './train.js'

interface TrainFlags {
  readonly config: string
  readonly set: readonly Override[]
  readonly seed?: string
  readonly epochs?: string
  readonly device?: string
  readonly threads?: number
  readonly out?: string
  readonly resume: boolean
  readonly overwrite: boolean
  readonly quiet: boolean
  readonly json: boolean
}

export function trainCommand(): Command {
  return new Command('train')
    .description('Train one autoencoder and write its run folder')
    .requiredOption('--config <file>', 'config of the run (JSON)')
    .option('--set <path=value>', 'set one field of the config (repeatable)', collectSettings, [])
    .option('--seed <number>', "set the config's seed (default: the config's, or else 0)")
    .option('--epochs <number>', "set the config's train.epochs (default: the config's, or else 10)")
    .addOption(deviceOption("where to train (default: the config's, or else auto)"))
    .addOption(threadsOption())
    .option('--out <folder>', 'run folder (default: runs/<name>/seed-<seed>)')
    .option(
      '--resume',
      'resume the run in the folder, with more --epochs if given, or start it if there is none',
      false,
    )
    .option('--overwrite', 'replace the run in the folder', false)
    .option('--quiet', 'print no progress and no messages', false)
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      '\nThe fields of a config are in docs/config.md. An eigen loss can be a formula of your own, in one line: docs/formulas.md.\n\nExample:\n  eigenae train --config configs/eigen.json --seed 1 --set loss.eigen.weight=0.5',
    )
    .action((flags: TrainFlags) =>
      train({
        config: flags.config,
        overrides: overridesOf(flags),
        threads: flags.threads,
        out: flags.out,
        use: useOf(flags),
        quiet: flags.quiet,
        json: flags.json,
      }),
    )
}

/** Flags for single config fields are overrides, applied after those of --set. */
function overridesOf({ set, seed, epochs, device }: TrainFlags): readonly Override[] {
  return [
    ...set,
    ...fieldOverride('--seed', 'seed', seed),
    ...fieldOverride('--epochs', 'train.epochs', epochs),
    ...fieldOverride('--device', 'device', device),
  ]
}

function useOf({ resume, overwrite }: TrainFlags): FolderUse {
  if (resume && overwrite) throw usageError({ problem: 'choose one of --resume and --overwrite' })
  return resume ? 'resume' : overwrite ? 'overwrite' : 'new'
}
