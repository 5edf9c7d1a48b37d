import { Command, Option } from 'commander'
import { usageError } from '../../errors.js'
import { modelFormats } from '../../exports/models/index.js'
import { type Part, parts } from '../../exports/models/network.js'
import { tensorboard } from '../../exports/tensorboard.js'
import { exportModel } from './model.js'
import { exportForTensorboard } from './tensorboard.js'

interface ExportFlags {
  readonly format: string
  readonly part: Part
  readonly keepBatchNorm: boolean
  readonly out: string
  readonly overwrite: boolean
}

export function exportCommand(): Command {
  return new Command('export')
    .description(
      'Write a trained model for Python, ONNX runtimes or a browser, or the course of runs for TensorBoard',
    )
    .argument('<run>', 'run folder; for tensorboard also a folder of runs')
    .addOption(
      new Option('--format <name>', 'file format')
        .choices([...modelFormats, tensorboard].map(({ name }) => name))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--part <name>', 'part of the network to export').choices(parts).default('autoencoder'),
    )
    .option('--keep-batch-norm', 'keep batch norm as layers instead of folding it into the weights', false)
    .requiredOption('--out <folder>', 'folder for the files, with a README.md that shows how to load them')
    .option('--overwrite', 'replace the export in the folder', false)
    .addHelpText(
      'after',
      `
If a run is not complete, its last checkpoint is exported, with a warning. The format tensorboard has no model, but the
metrics, timings, spectrum and config of the epochs so far. The runs of a folder get the same folders below --out.

Examples:
  eigenae export runs/eigen/seed-0 --format onnx --part encoder --out eigen-encoder
  eigenae export runs/arms --format tensorboard --out logs/arms`,
    )
    .action((named: string, flags: ExportFlags, command: Command) => {
      if (flags.format !== tensorboard.name) return exportModel(named, flags)
      refuseModelFlags(command)
      return exportForTensorboard(named, flags)
    })
}

/** @throws a usage error if a flag about the model is given, which the format tensorboard does not have. */
function refuseModelFlags(command: Command): void {
  const given = ['part', 'keepBatchNorm'].find((name) => command.getOptionValueSource(name) === 'cli')
  if (given === undefined) return
  throw usageError({
    problem: `requires --format ${modelFormats.map(({ name }) => name).join(' or ')}`,
    subject: given === 'part' ? '--part' : '--keep-batch-norm',
    hint: `Leave it out: the format ${tensorboard.name} has no model.`,
  })
}
