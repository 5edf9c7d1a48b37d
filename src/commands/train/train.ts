import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type Override } from '../../config/load.js'
import { scheduleWarnings } from '../../config/schedule-warnings.js'
import { type Config, devices } from '../../config/schema.js'
import { absoluteSource, type DataSet } from '../../data/load.js'
import { type Selection, selectEngine } from '../../engines/select.js'
import { EigenaeError } from '../../errors.js'
import { releaseLock } from '../../files/lock.js'
import { measuredRun, readEvaluation } from '../../runs/evaluation.js'
import { type EnvironmentFacts, environmentFacts } from '../../runs/facts.js'
import { type RunFiles, runFiles } from '../../runs/files.js'
import { inspectRun, verifyRun } from '../../runs/inspect.js'
import { configSha256, damageText } from '../../runs/integrity.js'
import {
  formatMetric,
  type Metric,
  meaningOf,
  metricOf,
  metrics,
  modelMetrics,
  optionalMetrics,
} from '../../runs/metrics.js'
import { claimRunFolder, type FolderUse, type FoundRun, inspectRunFolder } from '../../runs/open.js'
import { readMetrics } from '../../runs/read.js'
import type { RunFacts, RunRecord } from '../../runs/record.js'
import {
  type EarlierRun,
  earlierRun,
  planResume,
  type ResumePoint,
  removeResults,
} from '../../runs/resume.js'
import { share } from '../../text/format.js'
import { writeJson, writeMessage, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'
import { spectrumWarning } from '../../training/evaluate.js'
import { refuseTooLarge } from '../../training/memory.js'
import { executeRun, stalledWarning } from '../../training/run.js'
import { loadTrainingData, sourceOfRun } from '../../training/training-data.js'
import { abortOnSignals, interruptionOf } from '../shared/signals.js'
import { progressDisplay } from './progress.js'

export interface TrainOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  readonly threads: number | undefined
  readonly out: string | undefined
  readonly use: FolderUse
  readonly quiet: boolean
  readonly json: boolean
  /** Selects the engine; by default from the table of engines. */
  readonly select?: typeof selectEngine
}

/** Trains a run from a config file to a complete run folder and prints its results on stdout. */
export async function train(options: TrainOptions): Promise<void> {
  const config = await loadConfig(options.config, options.overrides)
  const folder = options.out ?? join('runs', config.name, `seed-${config.seed}`)
  const content = await inspectRunFolder(folder, config, options.use)
  const log = options.quiet ? () => {} : writeMessage
  const found = content.kind === 'run' && options.use === 'resume' ? checkFound(folder, content) : null
  if (found?.record?.status === 'completed' && found.damage.length === 0) log(`${folder}: already complete`)
  else await trainInto(folder, config, found, options, log)
  printResults(runFiles(folder), options.json)
}

/** Checks every byte of a completed run before it counts as done, and the cheap parts of any other run. */
function checkFound(folder: string, { record, damage }: FoundRun): FoundRun {
  if (record === null || damage.length > 0) return { record, damage }
  const files = runFiles(folder)
  const checked = record.status === 'completed' ? verifyRun(files) : inspectRun(files, 'heads')
  return { record, damage: checked.damage }
}

type Log = (message: string) => void

/** Nothing is written before the engine, the data and the memory are known to fit the config. */
async function trainInto(
  folder: string,
  config: Config,
  found: FoundRun | null,
  options: TrainOptions,
  log: Log,
): Promise<void> {
  const environment = environmentFacts() // git answers while the data is read
  const earlier = found && earlierRun(runFiles(folder), found.record)
  const selection = await selectionFor(folder, config, earlier, options.select ?? selectEngine)
  const record = earlier?.record ?? null
  const source = record === null ? config.data.source : sourceOfRun({ config, record })
  const data = await loadTrainingData(config, source)
  const threads = options.threads ?? availableParallelism()
  refuseTooLarge(config, { train: data.train.images.count, test: data.test.images.count }, threads)
  const facts = factsOf(config, selection, { source, ...data }, record, threads, await environment)
  if (earlier !== null) compareWithEarlier(earlier, facts, folder, log)
  const files = await claimRunFolder(folder, config, options.use)
  const { signal, release } = abortOnSignals(() => interruptionOf('train', folder, options.config))
  const { epochs, batchSize } = config.train
  const images = data.train.images.count
  const display = progressDisplay({ epochs, batchSize, images, quiet: options.quiet })
  try {
    log(announcement(facts, data, folder))
    const warning = spectrumWarning(config, data)
    if (warning !== null) log(`note: ${warning}: raise spectrum.images`)
    for (const each of scheduleWarnings(config)) log(`warning: ${each}`)
    const point = options.use === 'resume' ? await resumePoint(files, config, found, earlier, log) : null
    const { engine } = selection
    await executeRun({ config, data, engine, threads, files, facts, point, observer: display, signal })
    const stalled = stalledWarning(readMetrics(files.metrics))
    if (stalled !== null) log(`warning: ${folder}: ${stalled}`)
  } finally {
    display.stop()
    release()
    await releaseLock(files.lock)
  }
}

/** Returns where to resume, null to start from the beginning. Warns of damaged files, which are made again. */
async function resumePoint(
  files: RunFiles,
  config: Config,
  found: FoundRun | null,
  earlier: EarlierRun | null,
  log: Log,
): Promise<ResumePoint | null> {
  const plan = planResume(files, config, earlier)
  const damage = new Map([...(found?.damage ?? []), ...plan.damage].map((each) => [each.file, each]))
  const after = plan.point && `after epoch ${plan.point.checkpoint.epoch}`
  if (damage.size > 0) {
    const reasons = [...damage.values()].map(damageText).join('; ')
    log(`warning: ${files.folder}: ${reasons}; training again ${after ?? 'from the beginning'}`)
  }
  await removeResults(files, plan.point)
  log(after === null ? 'nothing to resume, starting from the beginning' : `resuming ${after}`)
  return plan.point
}

/** A resumed run keeps the device that "auto" chose when it started, because another device would give other bytes. */
async function selectionFor(
  folder: string,
  { device }: Config,
  earlier: EarlierRun | null,
  select: typeof selectEngine,
): Promise<Selection> {
  if (device !== 'auto' || earlier === null) return select(device)
  const first = devices.find((each) => each === earlier.device)
  if (first === undefined)
    throw new EigenaeError({
      problem: `this run was started on the device ${earlier.device}, which this version does not have`,
      subject: folder,
      hint: 'Resume with the version that started it, or start over with --overwrite.',
    })
  return { ...(await select(first)), reason: earlier.record?.deviceReason ?? 'as in its checkpoint' }
}

function factsOf(
  config: Config,
  { engine, reason }: Selection,
  data: DataSet & { readonly source: string },
  earlier: RunRecord | null,
  threads: number,
  environment: EnvironmentFacts,
): RunFacts {
  return {
    name: config.name,
    seed: config.seed,
    epochs: config.train.epochs,
    device: engine.device,
    deviceReason: reason,
    engine: { name: engine.name, variant: engine.variant, threads },
    ...environment,
    dataSource: absoluteSource(data.source),
    dataSha256: data.sha256,
    started: earlier?.started ?? new Date().toISOString(),
    configSha256: configSha256(config),
  }
}

/** Throws if the data has changed. Notes another version or instruction set, which may change the last digits. */
function compareWithEarlier(earlier: EarlierRun, now: RunFacts, folder: string, log: Log): void {
  const changed = Object.keys(now.dataSha256).filter((key) => earlier.dataSha256[key] !== now.dataSha256[key])
  if (changed.length > 0) {
    throw new EigenaeError({
      problem: `the data has changed since this run started (${changed.join(', ')})`,
      subject: folder,
      hint: 'Restore the old data, or start over with --overwrite.',
    })
  }
  const { record } = earlier
  if (record === null) return
  const before = [record.versions.eigenae, record.engine.name, record.engine.variant].join(' ')
  const after = [now.versions.eigenae, now.engine.name, now.engine.variant].join(' ')
  if (before !== after) log(`note: started with ${before}, resumed with ${after}: the last digits may differ`)
}

function announcement({ device, deviceReason, engine }: RunFacts, data: DataSet, folder: string): string {
  const cores = `${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}`
  const { count } = data.train.images
  return `${folder}: ${count} images on ${device} (${deviceReason}), ${engine.name} ${engine.variant}, ${cores}`
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
