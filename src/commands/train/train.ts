import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { ConfigOrigin } from '../../config/check.js'
import { loadConfig, type Override } from '../../config/load.js'
import type { selectEngine } from '../../engines/select.js'
import { ownCommand } from '../../runs/facts.js'
import { originOf, type RunFiles, runFiles } from '../../runs/files.js'
import {
  formatMetric,
  type Metric,
  meaningOf,
  metricOf,
  metrics,
  modelMetrics,
  optionalMetrics,
} from '../../runs/metrics.js'
import { measuredRun, readEvaluation } from '../../runs/read.js'
import type { RecordedCommand } from '../../runs/record.js'
import type { FolderUse } from '../../runs/resume.js'
import { commandLine, eigenaeCommand } from '../../text/command-line.js'
import { count, duration, share } from '../../text/format.js'
import { writeJson, writeMessage, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'
import { type TrainSession, type TrainStart, trainRun } from '../../training/train.js'
import { abortOnSignals, interruptionOf } from '../shared/signals.js'
import { progressDisplay } from './progress.js'

export interface TrainOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  /** By default "recorded" if the config is that of a run. */
  readonly origin?: ConfigOrigin
  readonly threads: number | undefined
  readonly out: string | undefined
  readonly use: FolderUse
  readonly quiet: boolean
  readonly json: boolean
  /** The command line that run.json keeps; by default that of this process. */
  readonly command?: RecordedCommand
  /** Selects the engine; by default from the table of engines. */
  readonly select?: typeof selectEngine
}

/** Trains a run from a config file to a complete run folder and prints its results on stdout. */
export async function train(options: TrainOptions): Promise<void> {
  const { threads = availableParallelism(), use, command = ownCommand(), select, quiet } = options
  const { config: file, overrides, origin = originOf(file, overrides) } = options
  const config = await loadConfig(file, overrides, origin)
  const folder = options.out ?? join('runs', config.name, `seed-${config.seed}`)
  const note = quiet ? () => {} : writeMessage
  const begin = (start: TrainStart) => openSession(start, folder, options)
  const request = { config, folder, use, threads, command, ...(select && { select }) }
  const started = performance.now()
  const epochs = await trainRun(request, { note, begin })
  const seconds = (performance.now() - started) / 1000
  note(
    epochs === null
      ? `${folder}: already complete`
      : `trained ${count(epochs, 'epoch')} in ${duration(seconds)}`,
  )
  printResults(runFiles(folder), options.json)
  // For a person; scripts and the log of a sweep have no use for it.
  if (process.stdout.isTTY && process.stderr.isTTY)
    note(`next: ${eigenaeCommand(commandLine(['plot', folder]))}`)
}

function openSession(start: TrainStart, folder: string, { config, quiet }: TrainOptions): TrainSession {
  const { signal, release } = abortOnSignals(() => interruptionOf('train', folder, config))
  const display = progressDisplay({ ...start, quiet })
  return {
    observer: display,
    signal,
    end: () => {
      display.stop()
      release()
    },
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
