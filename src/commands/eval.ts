import { Command } from 'commander'
import { dataFileKeys } from '../data/files.js'
import type { DataSet } from '../data/load.js'
import { runsNamedByAll } from '../runs/find.js'
import { formatMetric, meaningOf, metricOfModel, modelMetrics } from '../runs/metrics.js'
import type { WholeRun } from '../runs/read.js'
import { share } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import { evaluateModel, type ModelEvaluation, spectrumWarning, withChoice } from '../training/evaluate.js'
import { neighbourCount } from '../training/nearest-neighbours.js'
import { readTrainedRun, type TrainedRun, withTrainer } from '../training/trained-model.js'
import { loadDataFor, loadDataOf, sourceOfRun } from '../training/training-data.js'
import { deviation, deviceOption, threadsOption, wholeNumber } from './shared/options.js'
import {
  type ComputeFlags,
  chosenImages,
  computeOptions,
  dataOption,
  type ImageFlags,
  splitOption,
  warnOfCheckpoint,
} from './shared/trained-run.js'

interface EvalFlags extends ImageFlags, ComputeFlags {
  readonly data?: string
  readonly noise?: number
  readonly json: boolean
}

export function evalCommand(): Command {
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
Without options, eval reproduces evaluation.json exactly.
The linear probe and the 5-NN classifier are fitted on the train images (those of the run's data.limit, or all
images of another data set) and scored on the split. On the train split, each image is left out of its own fit.
If a run is not complete, its last checkpoint is measured, with a warning.

Example:
  eigenae eval runs/eigen/seed-0 runs/batch-norm/seed-0 --data FOLDER   # for example Fashion-MNIST's four files`,
    )
    .action(evaluate)
}

interface EvaluatedRun {
  readonly run: WholeRun
  /** The epoch of the model. */
  readonly epoch: number
  readonly engine: { readonly device: string; readonly variant: string }
  /** The source of the images. */
  readonly data: string
  readonly evaluation: ModelEvaluation
}

/**
 * Measures the models of runs one after the other, then prints all figures. Fails after that if a folder that may hold
 * further runs cannot be read.
 */
async function evaluate(folders: readonly string[], flags: EvalFlags): Promise<void> {
  const { runs, unreadable } = await runsNamedByAll(folders)
  const trained: TrainedRun[] = []
  for (const folder of runs) trained.push(await readTrainedRun(folder))
  const data = await dataOf(trained, flags)
  if (flags.data === undefined) for (const [index, run] of trained.entries()) warnIfChanged(run, data[index]!)
  const evaluated: EvaluatedRun[] = []
  for (const [index, run] of trained.entries()) evaluated.push(await evaluateRun(run, data[index]!, flags))
  if (flags.json) writeJson(evaluated.map(jsonOf))
  else writeResult(`${figuresTable(evaluated)}\n\nspectrum σ/Σσ\n${spectraTable(evaluated)}`)
  if (unreadable.length > 0) throw unreadable[0]!
}

/** Returns the data set of each run. Runs with the same data share one. */
async function dataOf(trained: readonly TrainedRun[], flags: EvalFlags): Promise<readonly DataSet[]> {
  const read = new Map<string, DataSet>()
  const sets: DataSet[] = []
  for (const { run } of trained) {
    const { model, data } = run.config
    const key = flags.data ?? JSON.stringify([sourceOfRun(run), data.limit])
    const set =
      read.get(key) ?? (await (flags.data ? loadDataFor(model, flags.data, '--data') : loadDataOf(run)))
    chosenImages(set, flags)
    sets.push(set)
    read.set(key, set)
  }
  return sets
}

function warnIfChanged({ run }: TrainedRun, data: DataSet): void {
  const { dataSha256 } = run.record
  if (dataFileKeys.every((key) => dataSha256[key] === data.sha256[key])) return
  writeMessage(`${run.folder}: the files of ${run.config.data.source} are not those that it was trained on`)
}

async function evaluateRun(trained: TrainedRun, data: DataSet, flags: EvalFlags): Promise<EvaluatedRun> {
  const { run, state, epoch } = trained
  warnOfCheckpoint(trained)
  const choice = {
    split: flags.split ?? null,
    images: flags.images ?? null,
    noise: flags.noise ?? null,
  }
  const warning = spectrumWarning(withChoice(run.config, choice), data)
  if (warning !== null) writeMessage(`${run.folder}: ${warning}`)
  const options = computeOptions(flags)
  return withTrainer(run.config, state, options, async (trainer, { device, variant }) => ({
    run,
    epoch: epoch ?? run.record.epochs,
    engine: { device, variant },
    data: flags.data ?? run.config.data.source,
    evaluation: await evaluateModel(trainer, run.config, data, choice, options),
  }))
}

/** The keys are the names of evaluation.json and metrics.csv without "test", because the split is a choice here. */
function jsonOf({ run, epoch, engine, data, evaluation }: EvaluatedRun) {
  const { spectrum, split, images, noise } = evaluation
  const figures = (source: 'evaluation' | 'accuracies') =>
    Object.fromEntries(
      modelMetrics
        .filter((metric) => meaningOf(metric).of === source)
        .map((metric) => [metric.replace('test_', ''), metricOfModel(evaluation, metric)]),
    )
  return {
    folder: run.folder,
    name: run.record.name,
    seed: run.record.seed,
    status: run.status,
    epoch,
    engine,
    data,
    split,
    images,
    noise,
    ...figures('evaluation'),
    spectrum: {
      singular_values: spectrum.singularValues,
      singular_shares: spectrum.singularShares,
      eigenvalues: spectrum.eigenvalues,
      eigen_shares: spectrum.eigenShares,
    },
    ...figures('accuracies'),
    neighbours: neighbourCount,
  }
}

function figuresTable(evaluated: readonly EvaluatedRun[]): string {
  const labels = modelMetrics.map((metric) => meaningOf(metric).label.replace('test ', ''))
  const rows = evaluated.map(({ run, epoch, evaluation }) => [
    run.folder,
    String(epoch),
    `${evaluation.images} ${evaluation.split}`,
    String(evaluation.noise),
    ...modelMetrics.map((metric) =>
      formatMetric(metric, metricOfModel(evaluation, metric), evaluation.spectrum.singularValues.length),
    ),
  ])
  return tableOfRuns(rows, ['run', 'epoch', 'images', 'noise', ...labels])
}

const maximumColumns = 16

/** One row per run, one column per rank. */
function spectraTable(evaluated: readonly EvaluatedRun[]): string {
  const longest = Math.max(...evaluated.map(({ evaluation }) => evaluation.spectrum.singularShares.length))
  const columns = Math.min(longest, maximumColumns)
  const rows = evaluated.map(({ run, evaluation }) => {
    const shares = evaluation.spectrum.singularShares
    const cells = Array.from({ length: columns }, (_, rank) =>
      shares[rank] === undefined ? '' : share(shares[rank]),
    )
    return [run.folder, ...cells, shares.length > columns ? `… ${shares.length - columns} more` : '']
  })
  return tableOfRuns(rows)
}

function tableOfRuns(rows: readonly (readonly string[])[], header?: readonly string[]): string {
  const [, ...figures] = rows[0]!
  return alignedTable(rows, ['left', ...figures.map(() => 'right' as const)], header)
}
