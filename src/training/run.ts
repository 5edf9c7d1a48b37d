import type { Config } from '../config/schema.js'
import type { DataSet } from '../data/load.js'
import type { Engine, EpochProgress, Losses, Trainer } from '../engines/engine.js'
import { EigenaeError, Interruption } from '../errors.js'
import { jsonText } from '../files/json.js'
import type { TrainerState } from '../model/state.js'
import { type TableSums, writeCheckpoint } from '../runs/checkpoint.js'
import type { FinalEvaluation } from '../runs/evaluation.js'
import { checkpointName, type RunFiles, tableNames } from '../runs/files.js'
import { configSha256, sumOf, sumOfFile } from '../runs/integrity.js'
import type { EpochEvaluation } from '../runs/metrics.js'
import { writeModel } from '../runs/model-file.js'
import { type FileSums, type RunFacts, type RunOutcome, writeRecord } from '../runs/record.js'
import type { ResumePoint } from '../runs/resume.js'
import {
  EpochTable,
  type MetricsRow,
  metricsColumns,
  spectrumColumns,
  timingsColumns,
} from '../runs/tables.js'
import { embedForSpectrum, evaluateEpoch, spectrumOfEmbedding } from './evaluate.js'
import { writeFinalEvaluation } from './final.js'
import { metricsRow, spectrumRows } from './rows.js'
import { trainerSpec } from './spec.js'

/** Everything a run needs: nothing is read from the command line or the environment below here. */
export interface RunJob {
  readonly config: Config
  /** With the images of `data.limit` alone in its train split. */
  readonly data: DataSet
  readonly engine: Engine
  readonly threads: number
  readonly files: RunFiles
  readonly facts: RunFacts
  /** Where to go on; null to begin. */
  readonly point: ResumePoint | null
  readonly observer: RunObserver
  /** Aborted with an Interruption as its reason. */
  readonly signal: AbortSignal
}

export interface RunObserver {
  onEpochStart(epoch: number): void
  onProgress(progress: EpochProgress): void
  onEpoch(report: EpochReport): void
}

export interface EpochReport {
  readonly epoch: number
  readonly losses: Losses
  readonly evaluation: EpochEvaluation
  readonly trainSeconds: number
  readonly imagesPerSecond: number
}

/** Trains from the checkpoint, or from the beginning, to the last epoch, and records how that ended in run.json. */
export async function executeRun(job: RunJob): Promise<FinalEvaluation> {
  const record = (outcome: RunOutcome) => writeRecord(job.files.record, outcome, job.facts)
  await record({ status: 'running' })
  try {
    const { evaluation, files } = await trainToTheEnd(job)
    await record({ status: 'completed', ended: new Date().toISOString(), files })
    return evaluation
  } catch (error) {
    // What cannot be written, on a full disk say, must not hide why the run ended.
    await record(outcomeOf(error)).catch(() => undefined)
    throw error
  }
}

function outcomeOf(error: unknown): RunOutcome {
  const ended = new Date().toISOString()
  if (error instanceof Interruption) return { status: 'interrupted', ended }
  return { status: 'failed', error: error instanceof Error ? error.message : String(error), ended }
}

interface TrainedToTheEnd {
  readonly evaluation: FinalEvaluation
  readonly files: FileSums
}

async function trainToTheEnd(job: RunJob): Promise<TrainedToTheEnd> {
  const { config, data, engine, files, threads, point } = job
  const trainer = await engine.createTrainer(trainerSpec(config, threads), data.train.images.pixels)
  // An epoch is written while the next one trains. What goes wrong is thrown where it is awaited.
  let written = Promise.resolve()
  try {
    const tables = tablesOf(files)
    if (point === null) written = writeBeginning(job, tables, await measureBeginning(job, trainer))
    else await resume(trainer, tables, point)
    for (let epoch = 1 + (point?.checkpoint.epoch ?? 0); epoch <= config.train.epochs; epoch++) {
      written.catch(() => undefined)
      const trained = await trainOneEpoch(job, trainer, epoch)
      await written
      written = writeEpoch(job, tables, trained)
    }
    await written
    job.signal.throwIfAborted()
    const model = await writeModel(files.model, config, await trainer.exportState())
    const { evaluation, sum } = await writeFinalEvaluation(files, trainer, config, data, job)
    return {
      evaluation,
      files: {
        'config.json': sumOf(jsonText(config)),
        ...sumsOf(tables),
        'evaluation.json': sum,
        'model.safetensors': model,
        [checkpointName]: sumOfFile(files.checkpoint)!,
      },
    }
  } finally {
    await written.catch(() => undefined)
    await trainer.dispose()
  }
}

type Tables = ReturnType<typeof tablesOf>

function tablesOf(files: RunFiles) {
  return {
    'metrics.csv': new EpochTable(files.metrics, metricsColumns),
    'spectrum.csv': new EpochTable(files.spectrum, spectrumColumns),
    'timings.csv': new EpochTable(files.timings, timingsColumns),
  }
}

function sumsOf(tables: Tables): TableSums {
  return {
    'metrics.csv': tables['metrics.csv'].sum,
    'spectrum.csv': tables['spectrum.csv'].sum,
    'timings.csv': tables['timings.csv'].sum,
  }
}

/** Leaves the folder and the trainer as they were at the end of the checkpoint's epoch. */
async function resume(trainer: Trainer, tables: Tables, point: ResumePoint): Promise<void> {
  for (const name of tableNames) await tables[name].truncate(point.tableBytes[name])
  await trainer.importState(point.checkpoint.state)
}

/** What is kept of a network before training. */
interface Beginning {
  readonly embedding: Float32Array
  readonly state: TrainerState
}

async function measureBeginning({ config, data, signal }: RunJob, trainer: Trainer): Promise<Beginning> {
  return {
    embedding: await embedForSpectrum(trainer, config, data, signal),
    state: await trainer.exportState(),
  }
}

async function writeBeginning(job: RunJob, tables: Tables, { embedding, state }: Beginning): Promise<void> {
  for (const table of Object.values(tables)) await table.start()
  await tables['spectrum.csv'].append(
    spectrumRows(0, await spectrumOfEmbedding(embedding, job.config, job.signal)),
  )
  await tables['spectrum.csv'].sync()
  await saveCheckpoint(job, tables, 0, state)
}

/** An epoch with all that is kept of it. */
interface TrainedEpoch extends EpochReport {
  readonly row: MetricsRow
  readonly evalSeconds: number
  readonly state: TrainerState
}

async function trainOneEpoch(job: RunJob, trainer: Trainer, epoch: number): Promise<TrainedEpoch> {
  const { config, data, observer, signal } = job
  signal.throwIfAborted()
  observer.onEpochStart(epoch)
  const started = performance.now()
  const losses = await trainer.trainEpoch(epoch, (progress) => observer.onProgress(progress), signal)
  const trained = performance.now()
  refuseDivergence({ 'the loss': losses.loss }, epoch, job)
  const evaluation = await evaluateEpoch(trainer, config, data, signal)
  const row = metricsRow(epoch, losses, evaluation)
  refuseDivergence(row, epoch, job)
  const trainSeconds = (trained - started) / 1000
  const evalSeconds = (performance.now() - trained) / 1000
  signal.throwIfAborted()
  const imagesPerSecond = data.train.images.count / trainSeconds
  const report = { epoch, losses, evaluation, trainSeconds, imagesPerSecond }
  observer.onEpoch(report)
  return { ...report, row, evalSeconds, state: await trainer.exportState() }
}

/** The rows are synced before the checkpoint is written: after any cut, the rows of a checkpoint's epoch are there. */
async function writeEpoch(job: RunJob, tables: Tables, trained: TrainedEpoch): Promise<void> {
  const { epoch, row, evaluation, trainSeconds, evalSeconds, imagesPerSecond, state } = trained
  await tables['metrics.csv'].append([row])
  await tables['spectrum.csv'].append(spectrumRows(epoch, evaluation.spectrum))
  await tables['timings.csv'].append([
    {
      epoch,
      train_seconds: Number(trainSeconds.toFixed(4)),
      eval_seconds: Number(evalSeconds.toFixed(4)),
      images_per_second: Math.round(imagesPerSecond),
    },
  ])
  await Promise.all(Object.values(tables).map((table) => table.sync()))
  await saveCheckpoint(job, tables, epoch, state)
}

function saveCheckpoint(
  { config, files, facts }: RunJob,
  tables: Tables,
  epoch: number,
  state: TrainerState,
): Promise<void> {
  const { device, dataSha256 } = facts
  const origin = { configSha256: configSha256(config), device, dataSha256, tables: sumsOf(tables) }
  return writeCheckpoint(files, config, { epoch, state, origin })
}

/** The last step of an epoch shows in its evaluation alone. */
function refuseDivergence(
  values: Readonly<Record<string, number>>,
  epoch: number,
  { config, files }: RunJob,
): void {
  const diverged = Object.entries(values).find(([, value]) => !Number.isFinite(value))
  if (diverged === undefined) return
  const [name, value] = diverged
  const causes = [
    'optimizer.learningRate',
    ...(config.loss.eigen === null ? [] : ['loss.eigen.weight']),
    ...(config.data.noise > 1 ? ['data.noise'] : []),
  ]
  throw new EigenaeError({
    problem: `training diverged: ${name} of epoch ${epoch} is ${value}`,
    subject: files.folder,
    hint: `Lower ${causes.join(' or ')}.`,
  })
}
