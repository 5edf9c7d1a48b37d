import { setTimeout } from 'node:timers/promises'
import { eigenLossesOf, nameOf } from '../config/eigen-losses.js'
import { type Config, configText } from '../config/schema.js'
import type { Engine, EpochProgress, NetworkValues, Trainer } from '../engines/engine.js'
import { Interruption } from '../errors.js'
import { jsonText, writeDurably } from '../files/write.js'
import { learningRateAt, meanOverSteps, scheduledValue } from '../model/schedule.js'
import type { TrainerState } from '../model/state.js'
import { readCheckpointHead, type TableSums, writeCheckpoint, writeModel } from '../runs/checkpoint.js'
import { peakMemoryBytes } from '../runs/facts.js'
import { checkpointName, type RunFiles, tableNames } from '../runs/files.js'
import { configSha256, sumOf, sumOfFile } from '../runs/integrity.js'
import { type EpochEvaluation, type EpochLosses, type LayerMeasures, loggedValues } from '../runs/metrics.js'
import { type FinalEvaluation, readMetrics } from '../runs/read.js'
import { type FileSums, type RunFacts, type RunOutcome, writeRecord } from '../runs/record.js'
import type { ResumePoint } from '../runs/resume.js'
import {
  EpochTable,
  type LayersRow,
  type LossesRow,
  layersColumns,
  lossesColumns,
  type MetricsRow,
  metricsColumns,
  type SpectrumRow,
  spectrumColumns,
  timingsColumns,
} from '../runs/tables.js'
import type { Spectrum } from '../spectrum/spectrum.js'
import { refuseDivergence } from './divergence.js'
import {
  imagesForSpectrum,
  type MeasuredEpoch,
  measureAccuracies,
  measureEpoch,
  measureSpectrum,
  spectrumOfEmbedding,
} from './evaluate.js'
import { measureLayers } from './layers.js'
import { trainerSpec } from './spec.js'
import type { TrainingData } from './training-data.js'

// How a run works, from top to bottom: executeRun records how the run ended, trainToTheEnd trains it epoch by epoch,
// and each epoch is trained, evaluated and written. prepare.ts prepares the job: engine, data and folder.

/** Everything a run needs. Below this point nothing is read from the command line or the environment. */
interface RunJob {
  readonly config: Config
  /** The train split is already limited to `data.limit` images. */
  readonly data: TrainingData
  readonly engine: Engine
  readonly threads: number
  readonly files: RunFiles
  readonly facts: RunFacts
  /** Where to resume; null to start from the beginning. */
  readonly point: ResumePoint | null
  readonly observer: RunObserver
  /** Aborted with an Interruption as its reason. */
  readonly signal: AbortSignal
}

export interface RunObserver {
  onEpochStart(epoch: number): void
  onProgress(progress: EpochProgress): void
  onEpoch(report: EpochReport): void
  /** Called once the run's files are ready. @param epoch the one after which the run starts */
  onStart?(epoch: number): void
  /** Called when a checkpoint is on the disk, with the rows of metrics.csv since the one before. */
  onSaved?(rows: readonly MetricsRow[]): void
}

export interface EpochReport {
  readonly epoch: number
  readonly losses: EpochLosses
  readonly evaluation: EpochEvaluation
  readonly trainSeconds: number
  readonly imagesPerSecond: number
}

/** Trains from the checkpoint, or from the beginning, to the last epoch, and records the outcome in run.json. */
export async function executeRun(job: RunJob): Promise<void> {
  const record = (outcome: RunOutcome) => writeRecord(job.files.record, { ...outcome, ...job.facts })
  await record({ status: 'running' })
  try {
    const files = await trainToTheEnd(job)
    await record({ status: 'completed', ...ending(), files })
  } catch (error) {
    // An error while recording, for example on a full disk, must not hide why the run ended.
    await record(outcomeOf(error)).catch(() => undefined)
    throw error instanceof Interruption ? withSavedEpoch(error, job) : error
  }
}

/** Adds the epoch after which a resume would start, as the checkpoint on the disk names it. */
function withSavedEpoch({ parts }: Interruption, { files, config }: RunJob): Interruption {
  const epoch = readCheckpointHead(files)?.epoch ?? 0
  const saved = epoch === 0 ? 'no epoch is saved' : `epoch ${epoch} of ${config.train.epochs} is saved`
  return new Interruption({ ...parts, problem: `${parts.problem}; ${saved}` })
}

function outcomeOf(error: unknown): RunOutcome {
  if (error instanceof Interruption) return { status: 'interrupted', ...ending() }
  return { status: 'failed', error: error instanceof Error ? error.message : String(error), ...ending() }
}

function ending() {
  return { ended: new Date().toISOString(), peakMemoryBytes: peakMemoryBytes() }
}

/** Trains to the last epoch, evaluates, and returns the checksums of all files. */
async function trainToTheEnd(job: RunJob): Promise<FileSums> {
  const { config, data, engine, files, threads, point, observer, signal } = job
  const { pixels, count } = data.train.images
  const trainer = await engine.createTrainer(trainerSpec(config, count, threads), pixels)
  // The rows of an epoch are written while the next one trains. It is reported once those of the epoch before it are
  // written, and nothing stops its own write.
  let written = Promise.resolve()
  const tables = tablesOf(files)
  const saves = new Saves(job, tables)
  try {
    let state: TrainerState
    let superseded: TrainerState | undefined
    let values: NetworkValues | undefined
    let measured: NetworkValues | undefined
    let last: MeasuredEpoch | undefined
    if (point === null) {
      const beginning = await measureBeginning(job, trainer)
      state = beginning.state
      values = beginning.values
      written = writeBeginning(job, tables, saves, beginning)
    } else {
      state = point.checkpoint.state
      await resume(trainer, tables, point)
      observer.onStart?.(point.checkpoint.epoch)
    }
    for (let epoch = 1 + (point?.checkpoint.epoch ?? 0); epoch <= config.train.epochs; epoch++) {
      written.catch(() => undefined)
      const training = trainOneEpoch(job, trainer, epoch, measured)
      saves.next = training
      const trained = await training
      await written
      // `written` has measured the layers of the epoch before, and its state is the one to be saved.
      ;[measured, values, last] = [values, trained.values, trained]
      ;[superseded, state] = [state, await trainer.exportState(superseded)]
      written = writeEpoch(job, tables, saves, { ...trained, state })
      observer.onEpoch(trained)
    }
    const writeEnd = async () => {
      await written
      await saves.saveLast()
      signal.throwIfAborted()
      return writeModel(files.model, config, state)
    }
    const [model, measures] = await both(writeEnd(), measureEnd(job, trainer, last))
    const evaluation = jsonText(finalEvaluation(measures, readMetrics(files.metrics).at(-1)!))
    await writeDurably(files.evaluation, evaluation)
    return {
      'config.json': sumOf(configText(config)),
      ...sumsOf(tables),
      'evaluation.json': sumOf(evaluation),
      'model.safetensors': model,
      [checkpointName]: sumOfFile(files.checkpoint)!,
    }
  } catch (error) {
    // If an epoch cannot be written, that is the error, not the stop that came meanwhile.
    await written
    await saves.saveLast()
    throw error
  } finally {
    await trainer.dispose()
  }
}

type Tables = ReturnType<typeof tablesOf>

function tablesOf(files: RunFiles) {
  return {
    'metrics.csv': new EpochTable(files.metrics, metricsColumns),
    'spectrum.csv': new EpochTable(files.spectrum, spectrumColumns),
    'timings.csv': new EpochTable(files.timings, timingsColumns),
    'layers.csv': new EpochTable(files.layers, layersColumns),
    'losses.csv': new EpochTable(files.losses, lossesColumns),
  }
}

function sumsOf(tables: Tables): TableSums {
  return Object.fromEntries(tableNames.map((name) => [name, tables[name].sum]))
}

/** Restores the tables and the trainer to the end of the checkpoint's epoch. */
async function resume(trainer: Trainer, tables: Tables, point: ResumePoint): Promise<void> {
  for (const name of tableNames) await tables[name].truncate(point.tableBytes[name])
  await trainer.importState(point.checkpoint.state)
}

/** Returns the network before training, and its values on the images of the spectrum. */
async function measureBeginning({ config, data, signal }: RunJob, trainer: Trainer) {
  const images = imagesForSpectrum(config, data)
  return {
    values: await trainer.inspect(images, images.length / data.test.images.pixelsPerImage, false, signal),
    state: await trainer.exportState(),
  }
}

async function writeBeginning(
  job: RunJob,
  tables: Tables,
  saves: Saves,
  { values: { embedding, linearOutputs }, state }: Awaited<ReturnType<typeof measureBeginning>>,
): Promise<void> {
  await EpochTable.start(Object.values(tables))
  job.observer.onStart?.(0)
  tables['spectrum.csv'].add(spectrumRows(0, await spectrumOfEmbedding(embedding, job.config, job.signal)))
  tables['layers.csv'].add(layersRows(0, await measureLayers(linearOutputs, job.config, state, job.signal)))
  await saves.add({ epoch: 0, state }, [])
}

interface TrainedEpoch extends EpochReport, MeasuredEpoch {
  readonly evalSeconds: number
}

/** @param reused values that have been measured: their memory may be used for those of this epoch */
async function trainOneEpoch(
  job: RunJob,
  trainer: Trainer,
  epoch: number,
  reused: NetworkValues | undefined,
): Promise<TrainedEpoch> {
  const { config, data, files, observer, signal } = job
  signal.throwIfAborted()
  observer.onEpochStart(epoch)
  const started = performance.now()
  const trainedLosses = await trainer.trainEpoch(epoch, (progress) => observer.onProgress(progress), signal)
  const losses = { ...trainedLosses, ...scheduledMeans(job, epoch) }
  const trained = performance.now()
  refuseDivergence({ 'the loss': losses.loss }, epoch, config, files.folder)
  const measured = await measureEpoch(trainer, config, data, signal, reused)
  refuseDivergence(loggedValues(losses, measured.evaluation, []), epoch, config, files.folder)
  const trainSeconds = (trained - started) / 1000
  const evalSeconds = (performance.now() - trained) / 1000
  const imagesPerSecond = data.train.images.count / trainSeconds
  return { epoch, losses, ...measured, trainSeconds, evalSeconds, imagesPerSecond }
}

/** Returns the means over an epoch's steps of the learning rate and of each eigen loss's weight. */
function scheduledMeans({ config, data, threads }: RunJob, epoch: number) {
  const { optimizer, eigenLosses, batchSize } = trainerSpec(config, data.train.images.count, threads)
  const steps = Math.ceil(data.train.images.count / batchSize)
  const mean = (at: (step: number) => number) => meanOverSteps(at, (epoch - 1) * steps, steps)
  return {
    learningRate: mean((step) => learningRateAt(optimizer, step)),
    weights: eigenLosses.map(({ weight }) => mean((step) => scheduledValue(weight, step))),
  }
}

/** Adds the rows of an epoch and saves it. A stop does not end it, because the epoch has been reported. */
async function writeEpoch(
  job: RunJob,
  tables: Tables,
  saves: Saves,
  trained: TrainedEpoch & SavedEpoch,
): Promise<void> {
  const { epoch, losses, evaluation, trainSeconds, evalSeconds, imagesPerSecond, state } = trained
  const layers = await measureLayers(trained.values.linearOutputs, job.config, state)
  const row = metricsRow(epoch, losses, evaluation, layers)
  tables['metrics.csv'].add([row])
  tables['spectrum.csv'].add(spectrumRows(epoch, evaluation.spectrum))
  tables['timings.csv'].add([
    {
      epoch,
      train_seconds: Number(trainSeconds.toFixed(4)),
      eval_seconds: Number(evalSeconds.toFixed(4)),
      images_per_second: Math.round(imagesPerSecond),
    },
  ])
  tables['layers.csv'].add(layersRows(epoch, layers))
  tables['losses.csv'].add(lossesRows(epoch, losses, job.config))
  await saves.add({ epoch, state }, [row])
}

interface SavedEpoch {
  readonly epoch: number
  readonly state: TrainerState
}

const millisecondsBetweenSaves = 1000

/**
 * Saves epochs: writes the rows and syncs the tables, then replaces the checkpoint, so that the tables always hold the
 * rows of the checkpoint's epoch. Rows after it do not count, and a resume writes them again.
 */
class Saves {
  readonly #job: RunJob
  readonly #tables: Tables
  #unsaved: SavedEpoch | null = null
  #unsavedRows: MetricsRow[] = []
  #lastSave = performance.now()
  /** The training of the epoch after the one that is being written. */
  next: Promise<unknown> = Promise.resolve()

  constructor(job: RunJob, tables: Tables) {
    this.#job = job
    this.#tables = tables
  }

  /**
   * Saves an epoch once a second has passed since the start or the last save, unless the next epoch ends before: a save may
   * take longer than a short epoch.
   */
  async add(trained: SavedEpoch, rows: readonly MetricsRow[]): Promise<void> {
    this.#unsaved = trained
    this.#unsavedRows.push(...rows)
    const wait = this.#lastSave + millisecondsBetweenSaves - performance.now()
    const superseded = this.next.then(() => true).catch(() => true)
    if (wait > 0 && (await Promise.race([setTimeout(wait, false, { ref: false }), superseded]))) return
    await this.saveLast()
  }

  /** Saves the epoch that was added last, unless it is saved. */
  async saveLast(): Promise<void> {
    if (this.#unsaved === null) return
    const { config, files, facts, observer } = this.#job
    const { epoch, state } = this.#unsaved
    const writes = Object.values(this.#tables).map((table) => table.write())
    await Promise.allSettled(writes) // so that nothing is written after an error
    await Promise.all(writes)
    const { device, dataSha256 } = facts
    const origin = { configSha256: configSha256(config), device, dataSha256, tables: sumsOf(this.#tables) }
    await writeCheckpoint(files, config, { epoch, state, origin })
    this.#unsaved = null
    this.#lastSave = performance.now()
    observer.onSaved?.(this.#unsavedRows.splice(0))
  }
}

/** Waits until both have ended, even if one fails, so that nothing is written afterwards. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

/**
 * Measures the trained network, beside the writes of the last epoch.
 * @param last the measures of that epoch; undefined if this process has not trained it
 */
async function measureEnd(job: RunJob, trainer: Trainer, last: MeasuredEpoch | undefined) {
  const { config, data, signal } = job
  return {
    spectrum: last?.evaluation.spectrum ?? (await measureSpectrum(trainer, config, data, signal)),
    accuracies: await measureAccuracies(trainer, config, data, data.test, 'apart', job, last?.testEmbedding),
  }
}

function finalEvaluation(
  { spectrum, accuracies }: Awaited<ReturnType<typeof measureEnd>>,
  lastRow: MetricsRow,
): FinalEvaluation {
  return {
    metrics: measuredOnly(lastRow),
    spectrum: {
      singular_values: spectrum.singularValues,
      singular_shares: spectrum.singularShares,
      eigenvalues: spectrum.eigenvalues,
      eigen_shares: spectrum.eigenShares,
    },
    linear_probe_accuracy: accuracies.linearProbeAccuracy,
    neighbour_accuracy: accuracies.neighbourAccuracy,
  }
}

function measuredOnly(row: MetricsRow): Partial<MetricsRow> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !Number.isNaN(value)))
}

// The rows that an epoch adds to the tables.

function metricsRow(
  epoch: number,
  losses: EpochLosses,
  evaluation: EpochEvaluation,
  layers: readonly LayerMeasures[],
): MetricsRow {
  const values = Object.entries(loggedValues(losses, evaluation, layers))
  const row = Object.fromEntries(values.map(([name, value]) => [name, value ?? Number.NaN]))
  return { epoch, ...row } as MetricsRow
}

/** One row per dimension, the largest singular value first. */
function spectrumRows(epoch: number, spectrum: Spectrum): readonly SpectrumRow[] {
  return spectrum.singularValues.map((value, index) => ({
    epoch,
    rank: index + 1,
    singular_value: value,
    singular_share: spectrum.singularShares[index]!,
    eigenvalue: spectrum.eigenvalues[index]!,
    eigen_share: spectrum.eigenShares[index]!,
  }))
}

function layersRows(epoch: number, layers: readonly LayerMeasures[]): readonly LayersRow[] {
  return layers.map(({ layer, width, deadUnits, effectiveRank, meanVariance }) => ({
    epoch,
    layer,
    width,
    dead_units: deadUnits,
    effective_rank: effectiveRank,
    mean_variance: meanVariance,
  }))
}

/** One row per eigen loss. They are numbered from 1, in the order of the config. */
function lossesRows(epoch: number, losses: EpochLosses, { loss }: Config): readonly LossesRow[] {
  return eigenLossesOf(loss.eigen).map((eigenLoss, index) => ({
    epoch,
    term: index + 1,
    kind: nameOf(eigenLoss),
    weight: losses.weights[index]!,
    value: losses.terms[index]!.value,
    weighted: losses.terms[index]!.weighted,
  }))
}
