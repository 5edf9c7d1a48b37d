import { Command, Option } from 'commander'
import type { RequestedDevice } from '../../config/schema.js'
import { deviation, deviceOption, threadCount, wholeNumber } from '../shared/options.js'

export interface EmbedFlags {
  readonly out: string
  readonly data?: string
  readonly split: 'train' | 'test'
  readonly noise: number
  readonly images?: number
  readonly device: RequestedDevice
  readonly threads?: number
  readonly overwrite: boolean
}

export function embedCommand(): Command {
  return new Command('embed')
    .description("Write images' embeddings to a file, with their labels")
    .argument('<run>', 'run folder')
    .requiredOption(
      '--out <file>',
      '.csv (index, label, z1 … zd) or .npy (float32 [n][d]; the labels beside it in NAME.labels.npy)',
    )
    .option(
      '--data <folder>',
      'the four idx files of another data set, or "mnist" (default: those of the run)',
    )
    .addOption(new Option('--split <name>', 'which images').choices(['train', 'test']).default('test'))
    .option(
      '--noise <deviation>',
      "standard deviation of noise on the input, the evaluations' noise",
      deviation('--noise'),
      0,
    )
    .option('--images <number>', 'the first so many images only (default: all)', wholeNumber('--images', 1))
    .addOption(deviceOption('what runs the model').default('auto'))
    .option('--threads <number>', 'cores to use (default: all); never changes a number', threadCount)
    .option('--overwrite', 'replace an earlier embedding in the file', false)
    .addHelpText(
      'after',
      `
The train split is all of its images, whatever the run's data.limit. A file that is no embedding of eigenae is never
replaced. Where a run is not complete, its last checkpoint is used.

Example:
  eigenae embed runs/eigen/seed-0 --out eigen.npy && python3 -c 'import numpy; print(numpy.load("eigen.npy").shape)'`,
    )
    .action(async (run: string, flags: EmbedFlags) => {
      const { embed } = await import('./embed.js')
      await embed(run, flags)
    })
}
