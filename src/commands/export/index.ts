import { Command, Option } from 'commander'
import { modelFormats } from '../../exports/models/index.js'
import { type Part, parts } from '../../exports/models/network.js'

export interface ExportFlags {
  readonly format: string
  readonly part: Part
  readonly keepBatchNorm: boolean
  readonly out: string
  readonly overwrite: boolean
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Write a trained model for other programs: Python, ONNX runtimes, a browser')
    .argument('<run>', 'run folder')
    .addOption(
      new Option('--format <name>', 'file format')
        .choices(modelFormats.map(({ name }) => name))
        .makeOptionMandatory(),
    )
    .addOption(new Option('--part <name>', 'all of it or a half').choices(parts).default('autoencoder'))
    .option('--keep-batch-norm', 'keep batch norm as layers, not folded into the weights', false)
    .requiredOption('--out <folder>', 'where to put the files, with a README.md that shows how to load them')
    .option('--overwrite', 'replace the export in the folder', false)
    .addHelpText(
      'after',
      `
Where a run is not complete, its last checkpoint is exported.

Example:
  eigenae export runs/eigen/seed-0 --format onnx --part encoder --out eigen-encoder`,
    )
    .action(async (run: string, flags: ExportFlags) => {
      const { exportModel } = await import('./export.js')
      await exportModel(run, flags)
    })
}
