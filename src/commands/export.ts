import { join, relative } from 'node:path'
import { Command, type CommandUnknownOpts, Option } from 'commander'
import { EigenaeError, firstLine, usageError } from '../errors.js'
import { refuseUsedFolder, writeFolder } from '../exports/models/folder.js'
import type { ExportFile } from '../exports/models/format.js'
import { exportReadme, modelFormats, readmeName } from '../exports/models/index.js'
import { exportedNetwork, parts } from '../exports/models/network.js'
import { tensorboard, tensorboardFiles } from '../exports/tensorboard.js'
import { requireInnerFolders } from '../files/folder.js'
import { version } from '../runs/facts.js'
import { runFiles } from '../runs/files.js'
import { runNamed, runsNamed } from '../runs/find.js'
import { readTimings, readWholeRun } from '../runs/read.js'
import { SweepPlans } from '../runs/sweep-plan.js'
import { commandLine } from '../text/command-line.js'
import { count } from '../text/format.js'
import { writeMessage, writeResult } from '../text/output.js'
import { readTrainedRun } from '../training/trained-model.js'
import type { FlagsOf } from './shared/options.js'
import { requirePlaced, warnOfCheckpoint, warnOfDamagedPlans } from './shared/run-warnings.js'

const formats = [...modelFormats, tensorboard]

export const exportCommand = () =>
  declaration().action((named, flags, command) => {
    if (flags.format !== tensorboard.name) return exportModel(named, flags)
    refuseModelFlags(command)
    return exportForTensorboard(named, flags)
  })

type ExportFlags = FlagsOf<typeof declaration>

function declaration() {
  return new Command('export')
    .description(
      'Write a trained model for Python, ONNX runtimes or a browser, or the course of runs for TensorBoard',
    )
    .argument('<run>', 'run folder; for tensorboard also a folder of runs')
    .addOption(
      new Option('--format <name>', 'file format')
        .choices(formats.map(({ name }) => name))
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
}

/** @throws a usage error if a flag about the model is given, which the format tensorboard does not have. */
function refuseModelFlags(command: CommandUnknownOpts): void {
  const given = ['part', 'keepBatchNorm'].find((name) => command.getOptionValueSource(name) === 'cli')
  if (given === undefined) return
  throw usageError({
    problem: `requires --format ${modelFormats.map(({ name }) => name).join(' or ')}`,
    subject: given === 'part' ? '--part' : '--keep-batch-norm',
    hint: `Leave it out: the format ${tensorboard.name} has no model.`,
  })
}

/** Writes the model of a run into a folder of its own and prints the names of the files. */
async function exportModel(named: string, flags: ExportFlags): Promise<void> {
  const { out, overwrite } = flags
  const replaced = await refuseUsedFolder(out, overwrite, formats)
  const trained = await readTrainedRun(await runNamed(named, 'export'))
  requirePlaced(trained.run)
  const { config, record } = trained.run
  const format = modelFormats.find(({ name }) => name === flags.format)!
  const network = exportedNetwork(config.model, trained.state, flags)
  const epoch = trained.epoch ?? record.epochs
  const { imageShape } = record
  const facts = { run: config.name, seed: config.seed, epoch, eigenae: version, imageShape, config }
  const readme = { name: readmeName, content: exportReadme(format, network, facts) }
  const files = [readme, ...(await format.encode(network, facts))]
  warnOfCheckpoint(trained)
  await write(out, files, replaced)
}

/**
 * Writes the course of a run, or of every run in a folder, and prints the names of the files. A run below the named
 * folder gets the same path below `out`, because TensorBoard names runs by their folders.
 */
async function exportForTensorboard(named: string, { out, overwrite }: ExportFlags): Promise<void> {
  const { runs, unreadable } = await runsNamed(named)
  const targets: { run: string; folder: string; replaced: readonly string[] }[] = []
  for (const run of runs) {
    const folder = join(out, relative(named, run))
    await requireInnerFolders(out, folder)
    targets.push({ run, folder, replaced: await refuseUsedFolder(folder, overwrite, formats) })
  }
  const failures: unknown[] = [...unreadable]
  const plans = new SweepPlans()
  for (const { run, folder, replaced } of targets) {
    try {
      await write(folder, await courseOf(run, plans), replaced)
    } catch (error) {
      if (!(error instanceof EigenaeError) || runs.length === 1) throw error
      failures.push(error)
    }
  }
  warnOfDamagedPlans(plans)
  if (runs.length > failures.length) writeMessage(`open: ${commandLine(['tensorboard', '--logdir', out])}`)
  if (failures.length === 0) return
  throw new EigenaeError({
    problem: `${count(failures.length, 'run')} could not be exported`,
    subject: named,
    details: failures.map(firstLine),
  })
}

/** Returns the files of TensorBoard for a run. */
async function courseOf(folder: string, plans: SweepPlans): Promise<readonly ExportFile[]> {
  const run = await readWholeRun(folder)
  plans.requirePlaced(folder, run.record)
  const epochs = run.metrics.length
  // A running process may have written more rows since.
  const timings = readTimings(runFiles(folder).timings).slice(0, epochs)
  if (run.status !== 'completed')
    writeMessage(`${folder}: not complete (${run.status}); exporting ${count(epochs, 'epoch')}`)
  return tensorboardFiles(run, timings)
}

async function write(out: string, files: readonly ExportFile[], replaced: readonly string[]): Promise<void> {
  await writeFolder(out, files, replaced)
  for (const { name } of files) writeResult(join(out, name))
}
