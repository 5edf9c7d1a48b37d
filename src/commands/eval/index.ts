import { Command, Option } from 'commander'
import type { RequestedDevice } from '../../config/schema.js'
import { deviation, deviceOption, threadCount, wholeNumber } from '../shared/options.js'

export interface EvalFlags {
  readonly data?: string
  readonly split?: 'train' | 'test'
  readonly noise?: number
  readonly images?: number
  readonly device: RequestedDevice
  readonly threads?: number
  readonly json: boolean
}

export function evalCommand(): Command {
  return new Command('eval')
    .description(
      'Measure trained models: errors, spectrum, and how well digits are told by the embedding, on any data',
    )
    .argument('<run...>', 'run folders, or folders of runs')
    .option(
      '--data <folder>',
      'the four idx files of another data set, or "mnist" (default: those of the run)',
    )
    .addOption(
      new Option('--split <name>', 'which images are measured (default: test)').choices(['train', 'test']),
    )
    .option(
      '--noise <deviation>',
      "standard deviation of the noisy input's noise (default: the run's, or else 0.2)",
      deviation('--noise'),
    )
    .option(
      '--images <number>',
      "measure the first so many images only (default: all; for the spectrum, as many as the run's config says)",
      wholeNumber('--images', 1),
    )
    .addOption(deviceOption('what runs the models').default('auto'))
    .option('--threads <number>', 'cores to use (default: all); never changes a number', threadCount)
    .option('--json', 'print every figure as JSON', false)
    .addHelpText(
      'after',
      `
The linear probe and the 5 nearest neighbours are fitted on the train images, those of the run's data.limit or
all of another data set, and scored on the split; on the train split each image is left out of its own fit.
Where a run is not complete, its last checkpoint is measured.

Example:
  eigenae eval runs/eigen/seed-0 runs/batch-norm/seed-0 --data FOLDER   # of Fashion-MNIST's four files, say`,
    )
    .action(async (runs: readonly string[], flags: EvalFlags) => {
      const { evaluate } = await import('./evaluate.js')
      await evaluate(runs, flags)
    })
}
