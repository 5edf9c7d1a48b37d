import { join } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../../package-root.js'
import { deviceOption, fieldOverride, threadCount, wholeNumber } from '../shared/options.js'
import { bench } from './bench.js'

interface BenchFlags {
  readonly config?: string
  readonly batchSize?: string
  readonly device?: string
  readonly epochs: number
  readonly threads?: number
  readonly json: boolean
}

/** The eigen arm, which comes with the package. */
const defaultConfig = join(packageRoot, 'configs', 'eigen.json')

export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure how fast each device trains, beside the peak of the machine')
    .option('--config <file>', 'config of the job (default: the eigen arm)')
    .option('--batch-size <number>', "set the config's train.batchSize (default: the config's, or else 64)")
    .addOption(deviceOption('this device alone (default: every usable one)'))
    .option(
      '--epochs <number>',
      'measured epochs a device, after one that is not counted',
      wholeNumber('--epochs', 1),
      3,
    )
    .option('--threads <number>', 'cores to use (default: all)', threadCount)
    .option('--json', 'print the measurements as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae bench --batch-size 256 --epochs 5')
    .action((flags: BenchFlags) =>
      bench({
        config: flags.config ?? defaultConfig,
        overrides: [
          ...fieldOverride('--batch-size', 'train.batchSize', flags.batchSize),
          // A config may name a device: to compare them all is the point here.
          ...fieldOverride('--device', 'device', flags.device ?? 'auto'),
        ],
        rounds: flags.epochs,
        threads: flags.threads,
        json: flags.json,
      }),
    )
}
