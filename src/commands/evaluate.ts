import { resolve } from 'node:path'
import { type ArmFolders, findArms } from '../comparison/arms.js'
import { meanCells, metricColumn, sampleNotes } from '../comparison/comparison-tables.js'
import { armLabels } from '../comparison/labels.js'
import { summarise } from '../comparison/statistics.js'
import { noteLines } from '../comparison/terminal.js'
import type { RequestedDevice } from '../config/schema.js'
import { dataFileKeys } from '../data/idx.js'
import type { DataSet } from '../data/load.js'
import { runFiles } from '../runs/files.js'
import { runsNamedByAll } from '../runs/find.js'
import { formatMetric, meaningOf, metricOfModel, modelMetrics, rangeOf } from '../runs/metrics.js'
import { SweepPlans } from '../runs/sweep-plan.js'
import { share } from '../text/format.js'
import { resultSpace, writeJson, writeLines, writeMessage, writeWarning } from '../text/output.js'
import {
  type Alignment,
  blockTable,
  type Column,
  type Line,
  span,
  textColumn,
  unbroken,
} from '../text/table.js'
import { neighbourCount } from '../training/classifiers.js'
import { evaluateModel, spectrumWarning, withChoice } from '../training/evaluate.js'
import { readTrainedRun, type TrainedRun, withTrainer } from '../training/trained-model.js'
import { loadDataFor, loadDataOf, sourceOfRun } from '../training/training-data.js'
import { chosenImages, computeOptions } from './shared/options.js'
import { warnOfCheckpoint, warnOfDamagedPlans } from './shared/run-warnings.js'

interface EvalFlags {
  readonly data?: string
  readonly split?: 'train' | 'test'
  readonly images?: number
  readonly noise?: number
  readonly device: RequestedDevice
  readonly threads?: number
  readonly json: boolean
}

type EvaluatedRun = Awaited<ReturnType<typeof evaluateRun>>

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

/** The measured runs of an arm. */
interface MeasuredArm {
  readonly label: string
  readonly runs: readonly EvaluatedRun[]
}

function measuredArms(runs: readonly EvaluatedRun[], arms: readonly ArmFolders[]): readonly MeasuredArm[] {
  const byFolder = new Map(runs.map((each) => [resolve(each.run.folder), each]))
  const labels = armLabels(arms)
  return arms
    .map((arm, index) => ({
      label: labels[index]!,
      runs: arm.runs.flatMap((folder) => byFolder.get(resolve(folder)) ?? []),
    }))
    .filter((arm) => arm.runs.length > 0)
}

function labelOf(run: EvaluatedRun, arms: readonly MeasuredArm[]): string | null {
  return arms.find(({ runs }) => runs.includes(run))?.label ?? null
}

/** Returns the data set of each run. Runs with the same data share one. */
async function dataOf(trained: readonly TrainedRun[], flags: EvalFlags): Promise<readonly DataSet[]> {
  const read = new Map<string, DataSet>()
  const sets: DataSet[] = []
  for (const { run } of trained) {
    const named = flags.data ?? [sourceOfRun(run), run.config.data.limit]
    const key = JSON.stringify([named, run.record.imageShape])
    const set = read.get(key) ?? (await (flags.data ? loadDataFor(run, flags.data) : loadDataOf(run)))
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

async function evaluateRun(trained: TrainedRun, data: DataSet, flags: EvalFlags) {
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
    /** The epoch of the model. */
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

/** Returns the figures and spectra of the runs and, if arms have several runs, their means. */
function evaluationLines(
  runs: readonly EvaluatedRun[],
  arms: readonly MeasuredArm[],
  columns: number,
): readonly Line[] {
  return [
    ...figures(runs, columns),
    [],
    [span('spectrum σ/Σσ')],
    ...spectra(runs, columns),
    ...(arms.some((arm) => arm.runs.length > 1) ? [[], ...means(arms, columns)] : []),
  ]
}

/** Returns a function that makes a column with a text per item. */
function columnsOf<T>(items: readonly T[]) {
  return (header: string, text: (item: T, index: number) => string, alignment: Alignment = 'right'): Column =>
    textColumn(header, alignment, items.map(text))
}

/** The name of a metric or of its column without "test", because the split is a choice here. */
function withoutTest(label: string): string {
  return label.replace('test ', '')
}

function figures(runs: readonly EvaluatedRun[], columns: number): readonly Line[] {
  const column = columnsOf(runs)
  return blockTable(
    [column('run', ({ run }) => run.folder, 'left')],
    [
      column('epoch', ({ epoch }) => String(epoch)),
      column('images', ({ evaluation: { images, split } }) => `${images} ${split}`),
      column('noise', ({ evaluation }) => String(evaluation.noise)),
      ...modelMetrics.map((metric) =>
        column(withoutTest(meaningOf(metric).label), ({ evaluation }) =>
          formatMetric(metric, metricOfModel(evaluation, metric), evaluation.spectrum.singularValues.length),
        ),
      ),
    ],
    columns,
  )
}

const mostRanks = 16

/** Returns one row per run, one column per rank. */
function spectra(runs: readonly EvaluatedRun[], columns: number): readonly Line[] {
  const column = columnsOf(runs)
  const shares = runs.map(({ evaluation }) => evaluation.spectrum.singularShares)
  const longest = Math.max(...shares.map(({ length }) => length))
  const ranks = Array.from({ length: Math.min(longest, mostRanks) }, (_, rank) =>
    column('', (_, run) => (shares[run]![rank] === undefined ? '' : share(shares[run]![rank]))),
  )
  const more = column('', (_, run) =>
    shares[run]!.length > mostRanks ? `… ${shares[run]!.length - mostRanks} more` : '',
  )
  const [, ...lines] = blockTable([column('', ({ run }) => run.folder, 'left')], [...ranks, more], columns)
  return lines
}

/** Returns a row per arm: the means over its completed runs or, if there are none, over all of its runs. */
function means(arms: readonly MeasuredArm[], columns: number): readonly Line[] {
  const column = columnsOf(arms)
  const counted = arms.map(({ runs }) => {
    const complete = runs.filter(({ run }) => run.status === 'completed')
    return complete.length > 0 ? complete : runs
  })
  const metricColumns = modelMetrics.map((metric) =>
    metricColumn(
      metric,
      counted.map((runs) => ({
        summary: summarise(
          runs.map(({ evaluation }) => metricOfModel(evaluation, metric)!),
          rangeOf(metric, runs[0]!.evaluation.spectrum.singularValues.length),
        ),
      })),
    ),
  )
  const table = blockTable(
    [
      column(unbroken('mean of the arm'), ({ label }) => label, 'left'),
      column('n', ({ runs }, arm) => {
        const { length } = counted[arm]!
        return length === runs.length ? String(length) : `${length} of ${runs.length}`
      }),
    ],
    metricColumns.map((each) => textColumn(withoutTest(each.header), 'right', meanCells(each, true))),
    columns,
  )
  const summaries = metricColumns.flatMap(({ results }) => results.flatMap((result) => result?.summary ?? []))
  return [...table, [], ...noteLines(sampleNotes(summaries, true), columns)]
}
