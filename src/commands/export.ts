import { join } from 'node:path'
import { Command, Option } from 'commander'
import { refuseUsedFolder, writeFolder } from '../exports/models/folder.js'
import type { ExportFacts } from '../exports/models/format.js'
import { modelFormats } from '../exports/models/index.js'
import { exportedNetwork, type Part, parts } from '../exports/models/network.js'
import { exportReadme, readmeName } from '../exports/models/readme.js'
import { version } from '../runs/facts.js'
import { runNamed } from '../runs/find.js'
import { writeResult } from '../text/output.js'
import { readTrainedRun, type TrainedRun } from '../training/trained-model.js'
import { warnOfCheckpoint } from './shared/trained-run.js'

interface ExportFlags {
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
    .addOption(
      new Option('--part <name>', 'part of the network to export').choices(parts).default('autoencoder'),
    )
    .option('--keep-batch-norm', 'keep batch norm as layers instead of folding it into the weights', false)
    .requiredOption('--out <folder>', 'folder for the files, with a README.md that shows how to load them')
    .option('--overwrite', 'replace the export in the folder', false)
    .addHelpText(
      'after',
      `
If a run is not complete, its last checkpoint is exported, with a warning.

Example:
  eigenae export runs/eigen/seed-0 --format onnx --part encoder --out eigen-encoder`,
    )
    .action(exportModel)
}

/** Writes the model of a run into a folder of its own and prints the names of the files. */
async function exportModel(folder: string, flags: ExportFlags): Promise<void> {
  const replaced = await refuseUsedFolder(flags.out, flags.overwrite, modelFormats)
  const trained = await readTrainedRun(await runNamed(folder, 'export'))
  const format = modelFormats.find(({ name }) => name === flags.format)!
  const network = exportedNetwork(trained.run.config.model, trained.state, flags)
  const facts = factsOf(trained)
  const readme = { name: readmeName, content: exportReadme(format, network, facts) }
  const files = [readme, ...(await format.encode(network, facts))]
  warnOfCheckpoint(trained)
  await writeFolder(flags.out, files, replaced)
  for (const { name } of files) writeResult(join(flags.out, name))
}

function factsOf({ run, epoch }: TrainedRun): ExportFacts {
  const { config, record } = run
  return {
    run: config.name,
    seed: config.seed,
    epoch: epoch ?? record.epochs,
    eigenae: version,
    config,
  }
}
