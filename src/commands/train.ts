import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import type { ConfigOrigin } from '../config/check.js'
import { loadConfig, type Override } from '../config/load.js'
import type { Config } from '../config/schema.js'
import type { EpochProgress } from '../engines/engine.js'
import type { selectEngine } from '../engines/select.js'
import { Interruption, usageError } from '../errors.js'
import { ownCommand } from '../runs/facts.js'
import { originOf, type RunFiles, runFiles } from '../runs/files.js'
import {
  formatMetric,
  type Metric,
  meaningOf,
  metricOf,
  metrics,
  modelMetrics,
  optionalMetrics,
} from '../runs/metrics.js'
import { type FinalEvaluation, measuredRun, readEvaluation } from '../runs/read.js'
import type { RecordedCommand } from '../runs/record.js'
import type { FolderUse } from '../runs/resume.js'
import type { MetricsRow } from '../runs/tables.js'
import { Bars, timeLeft } from '../text/bars.js'
import { commandLine, eigenaeCommand } from '../text/command-line.js'
import { count, duration, share, significant, thousands } from '../text/format.js'
import { writeJson, writeJsonLine, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import { type TrainStart, trainRun } from '../training/prepare.js'
import type { EpochReport, RunObserver } from '../training/run.js'
import { collectSettings, deviceOption, fieldOverride, threadsOption } from './shared/options.js'
import { abortOnSignals, interruptionOf } from './shared/signals.js'

export function trainCommand() {
  return new Command('train')
    .description('Train one autoencoder and write its run folder')
    .requiredOption('--config <file>', 'config of the run (JSON)')
    .option('--set <path=value>', 'set one field of the config (repeatable)', collectSettings, [])
    .option('--seed <number>', "set the config's seed (default: the config's, or else 0)")
    .option('--epochs <number>', "set the config's train.epochs (default: the config's, or else 10)")
    .addOption(deviceOption("where to train (default: the config's, or else auto)"))
    .addOption(threadsOption())
    .option('--out <folder>', 'run folder (default: runs/<name>/seed-<seed>)')
    .option(
      '--resume',
      'resume the run in the folder, with more --epochs if given, or start it if there is none',
      false,
    )
    .option('--overwrite', 'replace the run in the folder', false)
    .option('--quiet', 'print no progress and no messages', false)
    .option('--json', 'print the result as JSON', false)
    .option(
      '--json-lines',
      'print the start, each epoch once it is saved, and the end, one JSON object per line',
      false,
    )
    .addHelpText(
      'after',
      '\nThe fields of a config are in docs/config.md. An eigen loss can be a formula of your own, in one line: docs/formulas.md.\n\nExample:\n  eigenae train --config configs/eigen.json --seed 1 --set loss.eigen.weight=0.5',
    )
    .action(({ set, seed, epochs, device, resume, overwrite, ...flags }) => {
      if (resume && overwrite) throw usageError({ problem: 'choose one of --resume and --overwrite' })
      if (flags.json && flags.jsonLines)
        throw usageError({ problem: 'choose one of --json and --json-lines' })
      // Flags for single config fields are applied after those of --set.
      const overrides = [
        ...set,
        ...fieldOverride('--seed', 'seed', seed),
        ...fieldOverride('--epochs', 'train.epochs', epochs),
        ...fieldOverride('--device', 'device', device),
      ]
      return train({ ...flags, overrides, use: resume ? 'resume' : overwrite ? 'overwrite' : 'new' })
    })
}

interface TrainOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  /** By default "recorded" if the config is that of a run. */
  readonly origin?: ConfigOrigin
  readonly threads?: number
  readonly out?: string
  readonly use: FolderUse
  readonly quiet: boolean
  readonly json: boolean
  readonly jsonLines?: boolean
  /** The command line that run.json keeps; by default that of this process. */
  readonly command?: RecordedCommand | undefined
  /** Selects the engine; by default from the table of engines. */
  readonly select?: typeof selectEngine | undefined
}

/** Trains a run from a config file to a complete run folder and prints its results on stdout. */
export async function train(options: TrainOptions): Promise<void> {
  const { threads = availableParallelism(), use, command = ownCommand(), select, quiet, jsonLines } = options
  const { config: file, overrides, origin = originOf(file, overrides) } = options
  const config = await loadConfig(file, overrides, origin)
  const folder = options.out ?? join('runs', config.name, `seed-${config.seed}`)
  const note = quiet ? () => {} : writeMessage
  const events = jsonLines === true ? eventLines(config, folder) : null
  const begin = (start: TrainStart) => {
    const { signal, release } = abortOnSignals(() => interruptionOf('train', folder, file))
    const display = progressDisplay(start, quiet)
    const end = () => {
      display.stop()
      release()
    }
    return { observer: Object.assign(display, events?.observer), signal, end }
  }
  const request = { config, folder, use, threads, command, ...(select && { select }) }
  const started = performance.now()
  const epochs = await trainRun(request, { note, begin }).catch((error: unknown) => {
    events?.failed(error)
    throw error
  })
  const seconds = (performance.now() - started) / 1000
  note(
    epochs === null
      ? `${folder}: already complete`
      : `trained ${count(epochs, 'epoch')} in ${duration(seconds)}`,
  )
  const files = runFiles(folder)
  if (events === null) printResults(files, options.json)
  else events.completed(readEvaluation(files.evaluation), seconds)
  // For a person; scripts and the log of a sweep have no use for it.
  if (process.stdout.isTTY && process.stderr.isTTY)
    note(`next: ${eigenaeCommand(commandLine(['plot', folder]))}`)
}

/** Prints the events of a run to stdout, a line of JSON for each. Values that were not measured are null. */
function eventLines({ name, seed, train: { epochs } }: Config, folder: string) {
  return {
    observer: {
      onStart: (epoch: number) => writeJsonLine({ event: 'started', folder, name, seed, epoch, epochs }),
      onSaved: (rows: readonly MetricsRow[]) => {
        for (const row of rows) writeJsonLine({ event: 'epoch', ...row })
      },
    },
    completed: (evaluation: FinalEvaluation, seconds: number) =>
      writeJsonLine({ event: 'completed', folder, seconds: Number(seconds.toFixed(3)), ...evaluation }),
    failed: (error: unknown) =>
      writeJsonLine({
        event: error instanceof Interruption ? 'interrupted' : 'failed',
        folder,
        reason: error instanceof Error ? error.message : String(error),
      }),
  }
}

/** Prints the evaluation of a completed run. */
function printResults(files: RunFiles, json: boolean): void {
  const evaluation = readEvaluation(files.evaluation)
  if (json) {
    writeJson({ folder: files.folder, ...evaluation })
    return
  }
  const { singular_values, singular_shares } = evaluation.spectrum
  const run = measuredRun(evaluation)
  const isPrinted = (metric: Metric) =>
    modelMetrics.includes(metric) || (optionalMetrics.includes(metric) && metricOf(run, metric) !== null)
  const rows = [
    ...metrics
      .filter(isPrinted)
      .map((metric) => [
        meaningOf(metric).label,
        formatMetric(metric, metricOf(run, metric), singular_values.length),
      ]),
    ['spectrum σ/Σσ', singular_shares.map(share).join(' ')],
    ['files', files.folder],
  ]
  writeResult(alignedTable(rows, ['left', 'left']))
}

/** Shows the progress of a run; `stop` restores the terminal. */
interface ProgressDisplay extends RunObserver {
  stop(): void
}

/** Returns a bar on a terminal, a line per epoch otherwise, and nothing with --quiet. All go to stderr. */
function progressDisplay(run: TrainStart, quiet: boolean): ProgressDisplay {
  if (process.stderr.isTTY && !quiet) return new EpochBar(run)
  const onEpoch = (report: EpochReport) => writeMessage(epochLine(report, run.epochs))
  const ignore = () => {}
  return { onEpochStart: ignore, onProgress: ignore, onEpoch: quiet ? ignore : onEpoch, stop: ignore }
}

function epochLine(
  { epoch, losses, evaluation, trainSeconds, imagesPerSecond }: EpochReport,
  epochs: number,
): string {
  const { mse, spectrum } = evaluation
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${significant(losses.loss)}`,
    `test MSE ${significant(mse)}`,
    `effective rank ${spectrum.effectiveRank.toFixed(2)}`,
    `${trainSeconds.toFixed(2)} s`,
    `${thousands(imagesPerSecond)} images/s`,
  ].join('  ')
}

/** From this many columns on, the bar has step and speed; with fewer, they would push the other figures out of sight. */
const wideColumns = 120

/** One bar over all epochs of a run. A resumed run starts at its epoch. */
class EpochBar implements ProgressDisplay {
  readonly #run: TrainStart
  readonly #bars = new Bars()
  #epoch = 0
  #epochStarted = 0
  /** The start of the first epoch, and the images of the epochs before it. */
  #first: { readonly started: number; readonly images: number } | null = null
  #speed: number | null = null
  /** Test MSE and effective rank of the last epoch; null before the end of the first one. */
  #last: string | null = null
  /** Those beside the bar, which are of the epoch before the one that is being trained. */
  #shown: string | null = null

  constructor(run: TrainStart) {
    this.#run = run
  }

  onEpochStart(epoch: number): void {
    this.#epoch = epoch
    this.#epochStarted = performance.now()
    this.#shown = this.#last
    if (this.#first !== null) return
    this.#first = { started: this.#epochStarted, images: (epoch - 1) * this.#run.images }
    this.#show(null)
  }

  onProgress(progress: EpochProgress): void {
    const { imagesDone } = progress
    // At the end of an epoch the elapsed time may include the evaluation; onEpoch has the right speed.
    if (imagesDone > 0 && imagesDone < this.#run.images)
      this.#speed = (1000 * imagesDone) / (performance.now() - this.#epochStarted)
    this.#show(progress)
  }

  /** Draws at once, because short epochs end faster than the bar is redrawn. */
  onEpoch({ losses, imagesPerSecond, evaluation }: EpochReport): void {
    this.#last = `test MSE ${significant(evaluation.mse)} · rank ${evaluation.spectrum.effectiveRank.toFixed(2)}`
    this.#speed = imagesPerSecond
    this.#show({ imagesDone: this.#run.images, loss: losses.loss })
    this.#bars.draw()
  }

  stop(): void {
    this.#bars.stop()
  }

  /** @param progress null before the first batch */
  #show(progress: EpochProgress | null): void {
    const { epochs, images, batchSize } = this.#run
    const columns = process.stderr.columns ?? wideColumns
    const isWide = columns >= wideColumns
    const done = (this.#epoch - 1) * images + (progress?.imagesDone ?? 0)
    const { started, images: before } = this.#first!
    const step = progress && `${Math.ceil(progress.imagesDone / batchSize)}/${Math.ceil(images / batchSize)}`
    const speed = this.#speed === null ? '…' : thousands(this.#speed)
    const text = [
      `epoch ${this.#epoch}/${epochs}`,
      ...(isWide ? [`step ${step ?? '…'}`, `${speed} images/s`] : []),
      `loss ${progress === null ? '…' : significant(progress.loss)}`,
      timeLeft(done - before, epochs * images - done, started),
      ...(this.#shown === null ? [] : [this.#shown]),
    ].join(' · ')
    const cells = !isWide ? 6 : columns < 140 ? 12 : 20
    this.#bars.show([{ done, total: epochs * images, text, cells }])
  }
}
