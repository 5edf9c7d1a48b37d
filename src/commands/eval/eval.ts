import { findArms } from '../../comparison/arms.js'
import { dataFileKeys } from '../../data/idx.js'
import { type DataSet, loadDataSet } from '../../data/load.js'
import { runFiles } from '../../runs/files.js'
import { runsNamedByAll } from '../../runs/find.js'
import { meaningOf, metricOfModel, modelMetrics } from '../../runs/metrics.js'
import type { WholeRun } from '../../runs/read.js'
import { SweepPlans } from '../../runs/sweep-plan.js'
import { resultSpace, writeJson, writeLines, writeMessage, writeWarning } from '../../text/output.js'
import { evaluateModel, type ModelEvaluation, spectrumWarning, withChoice } from '../../training/evaluate.js'
import { neighbourCount } from '../../training/nearest-neighbours.js'
import { readTrainedRun, type TrainedRun, withTrainer } from '../../training/trained-model.js'
import { loadDataOf, sourceOfRun } from '../../training/training-data.js'
import { warnOfDamagedPlans } from '../shared/sweep-plans.js'
import {
  type ComputeFlags,
  chosenImages,
  computeOptions,
  type ImageFlags,
  warnOfCheckpoint,
} from '../shared/trained-run.js'
import { evaluationLines, type MeasuredArm, measuredArms } from './tables.js'

export interface EvalFlags extends ImageFlags, ComputeFlags {
  readonly data?: string
  readonly noise?: number
  readonly json: boolean
}

export interface EvaluatedRun {
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
export async function evaluate(folders: readonly string[], flags: EvalFlags): Promise<void> {
  const { runs, unreadable } = await runsNamedByAll(folders)
  const { arms } = await findArms(folders)
  const trained: TrainedRun[] = []
  for (const folder of runs) trained.push(await readTrainedRun(folder))
  const data = await dataOf(trained, flags)
  if (flags.data === undefined) for (const [index, run] of trained.entries()) warnIfChanged(run, data[index]!)
  const evaluated: EvaluatedRun[] = []
  for (const [index, run] of trained.entries()) evaluated.push(await evaluateRun(run, data[index]!, flags))
  const plans = new SweepPlans()
  const measured = measuredArms(evaluated.filter(isPlanned(plans)), arms)
  warnOfDamagedPlans(plans)
  if (flags.json) writeJson(evaluated.map((each) => ({ ...jsonOf(each), arm: labelOf(each, measured) })))
  else writeLines(evaluationLines(evaluated, measured, resultSpace().columns))
  if (unreadable.length > 0) throw unreadable[0]!
}

/** Returns a test for runs that count as their arms; it warns of a run that its sweep did not plan for its folder. */
function isPlanned(plans: SweepPlans): (run: EvaluatedRun) => boolean {
  return ({ run: { folder, record } }) => {
    const reason = plans.misplacement(folder, record)
    if (reason !== null)
      writeWarning(`${runFiles(folder).config}: ${reason}; left out of the mean of its arm`)
    return reason === null
  }
}

function labelOf(run: EvaluatedRun, arms: readonly MeasuredArm[]): string | null {
  return arms.find(({ runs }) => runs.includes(run))?.label ?? null
}

/** Returns the data set of each run. Runs with the same data share one. */
async function dataOf(trained: readonly TrainedRun[], flags: EvalFlags): Promise<readonly DataSet[]> {
  const read = new Map<string, DataSet>()
  const sets: DataSet[] = []
  for (const { run } of trained) {
    const key = flags.data ?? JSON.stringify([sourceOfRun(run), run.config.data.limit])
    const set = read.get(key) ?? (await (flags.data ? loadDataSet(flags.data) : loadDataOf(run)))
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
