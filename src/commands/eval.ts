import { Command } from 'commander'
import {
  dataOption,
  deviation,
  deviceOption,
  splitOption,
  threadsOption,
  wholeNumber,
} from './shared/options.js'

export const evalCommand = () =>
  declaration().action(async (folders, flags) => {
    // Imported here so that other commands start without loading the statistics.
    const { evaluate } = await import('./evaluate.js')
    await evaluate(folders, flags)
  })

function declaration() {
  return new Command('eval')
    .description('Measure the errors, spectrum and label accuracies of trained models, on any data')
    .argument('<run...>', 'run folders, or folders of runs')
    .addOption(dataOption())
    .addOption(splitOption('images to measure (default: test)'))
    .option(
      '--noise <deviation>',
      "standard deviation of the noise on the noisy input (default: the config's, or else 0.2)",
      deviation('--noise'),
    )
    .option(
      '--images <number>',
      "measure only the first N images (default: all; for the spectrum, the config's number)",
      wholeNumber('--images', 1),
    )
    .addOption(deviceOption('device that runs the models').default('auto'))
    .addOption(threadsOption())
    .option('--json', 'print all figures as JSON', false)
    .addHelpText(
      'after',
      `
Without options, eval reproduces evaluation.json exactly. For an arm with several runs, the means over its completed runs
follow, with 95 % intervals.
The linear probe and the 5-NN classifier are fitted on the train images (those of the run's data.limit, or all
images of another data set) and scored on the split. On the train split, each image is left out of its own fit.
If a run is not complete, its last checkpoint is measured, with a warning.

Example:
  eigenae eval runs/eigen/seed-0 runs/batch-norm/seed-0 --data FOLDER   # for example Fashion-MNIST's four files`,
    )
}
