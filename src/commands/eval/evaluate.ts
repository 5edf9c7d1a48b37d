import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { dataFileKeys } from '../../data/files.js'
import type { DataSet } from '../../data/load.js'
import { runsNamed } from '../../runs/find.js'
import { writeMessage } from '../../text/output.js'
import { evaluateModel, spectrumDoubt, withChoice } from '../../training/evaluate.js'
import { readTrainedRun, type TrainedRun, withTrainer } from '../../training/trained-model.js'
import { loadDataFor, loadDataOf, sourceOfRun } from '../../training/training-data.js'
import { chosenImages } from '../shared/chosen-images.js'
import { sayWhichModel } from '../shared/trained-run.js'
import type { EvalFlags } from './index.js'
import { type EvaluatedRun, writeEvaluations } from './report.js'

/**
 * Measures the models of runs, one after the other; figures go to stdout once all are there. Fails after that if a folder
 * that may hold further runs cannot be read.
 */
export async function evaluate(folders: readonly string[], flags: EvalFlags): Promise<void> {
  const found = await Promise.all(folders.map(runsNamed))
  const named = found.flatMap(({ runs }) => runs)
  const once = [...new Map(named.map((folder) => [resolve(folder), folder])).values()]
  const trained: TrainedRun[] = []
  for (const folder of once) trained.push(await readTrainedRun(folder))
  const data = await dataOf(trained, flags)
  if (flags.data === undefined) for (const [index, run] of trained.entries()) sayIfChanged(run, data[index]!)
  const evaluated: EvaluatedRun[] = []
  for (const [index, run] of trained.entries()) evaluated.push(await evaluateRun(run, data[index]!, flags))
  writeEvaluations(evaluated, flags.json)
  const unreadable = found.flatMap((each) => each.unreadable)
  if (unreadable.length > 0) throw unreadable[0]!
}

async function evaluateRun(trained: TrainedRun, data: DataSet, flags: EvalFlags): Promise<EvaluatedRun> {
  const { run, state, epoch } = trained
  sayWhichModel(trained)
  const choice = {
    split: flags.split ?? null,
    images: flags.images ?? null,
    noise: flags.noise ?? null,
  }
  const doubt = spectrumDoubt(withChoice(run.config, choice), data)
  if (doubt !== null) writeMessage(`${run.folder}: ${doubt}`)
  const place = { device: flags.device, threads: flags.threads ?? availableParallelism() }
  return withTrainer(run.config, state, place, async (trainer, { device, variant }) => ({
    run,
    epoch: epoch ?? run.record.epochs,
    engine: { device, variant },
    data: flags.data ?? run.config.data.source,
    evaluation: await evaluateModel(trainer, run.config, data, choice, place),
  }))
}

/** What each run is measured on, read once for all that share it. */
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

function sayIfChanged({ run }: TrainedRun, data: DataSet): void {
  const { dataSha256 } = run.record
  if (dataFileKeys.every((key) => dataSha256[key] === data.sha256[key])) return
  writeMessage(`${run.folder}: the files of ${run.config.data.source} are not those that it was trained on`)
}
