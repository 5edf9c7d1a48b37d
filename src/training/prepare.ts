import { configWarnings, effectWarnings } from '../config/check.js'
import { type Config, devices } from '../config/schema.js'
import { absoluteSource, type DataSet } from '../data/load.js'
import { type Selection, selectEngine } from '../engines/select.js'
import { EigenaeError } from '../errors.js'
import { releaseLock } from '../files/lock.js'
import { type EnvironmentFacts, environmentFacts } from '../runs/facts.js'
import { type RunFiles, runFiles } from '../runs/files.js'
import { configSha256, damageText } from '../runs/integrity.js'
import { readMetrics } from '../runs/read.js'
import type { RecordedCommand, RunFacts, RunRecord } from '../runs/record.js'
import {
  claimRunFolder,
  type EarlierRun,
  earlierRun,
  type FolderUse,
  type FoundRun,
  inspectRunFolder,
  lengthenedRecord,
  planResume,
  type ResumePoint,
  removeResults,
} from '../runs/resume.js'
import { stalledWarning } from './divergence.js'
import { spectrumWarning } from './evaluate.js'
import { refuseTooLarge } from './memory.js'
import { executeRun, type RunObserver } from './run.js'
import { trainerSpec } from './spec.js'
import { loadTrainingData, sourceOfRun } from './training-data.js'

// From a config and a folder to a complete run: everything that precedes the loop in run.ts.

interface TrainRequest {
  readonly config: Config
  readonly folder: string
  readonly use: FolderUse
  /** Cores to use. The results do not depend on it. */
  readonly threads: number
  /** The command line that run.json keeps. */
  readonly command: RecordedCommand
  /** Selects the engine; by default from the table of engines. */
  readonly select?: typeof selectEngine
}

/** The caller's side of a run: it takes the messages, and opens a session once the folder is claimed. */
interface TrainHost {
  /** Receives a line for people: an announcement, a note or a warning. */
  readonly note: (message: string) => void
  readonly begin: (start: TrainStart) => TrainSession
}

export interface TrainStart {
  readonly epochs: number
  readonly batchSize: number
  /** Images per epoch. */
  readonly images: number
}

interface TrainSession {
  readonly observer: RunObserver
  /** Aborted with an Interruption as its reason. */
  readonly signal: AbortSignal
  /** Called when the run has ended, however it ended. */
  end(): void
}

/**
 * Trains a run to its end, unless the folder holds it already, complete and undamaged. Returns the number of epochs
 * that it trained; null if there was nothing to do.
 */
export async function trainRun(request: TrainRequest, host: TrainHost): Promise<number | null> {
  const found = await inspectRunFolder(request.folder, request.config, request.use)
  if (found?.kind === 'same' && found.record?.status === 'completed' && found.damage.length === 0) return null
  return trainInto(request, found, host)
}

/** Nothing is written before the data, the engine and the memory are known to fit the config. */
async function trainInto(
  { config, folder, use, threads, command, select = selectEngine }: TrainRequest,
  found: FoundRun | null,
  host: TrainHost,
): Promise<number> {
  const environment = environmentFacts() // git answers while the data is read
  const lengthened = found?.kind === 'shorter' ? lengthenedRecord(found.record, config) : null
  const earlier = found && earlierRun(runFiles(folder), lengthened ?? found.record)
  const record = earlier?.record ?? null
  const source = record === null ? config.data.source : sourceOfRun({ config, record })
  const data = await loadTrainingData(config, source)
  const selection = await selectionFor(folder, config, earlier, threads, select)
  refuseTooLarge(config, { train: data.train.images.count, test: data.test.images.count }, threads)
  const facts: RunFacts = {
    ...factsOf(config, selection, { source, ...data }, record, threads, await environment),
    command,
  }
  if (earlier !== null) compareWithEarlier(earlier, facts, folder, host.note)
  const files = await claimRunFolder(folder, config, use, lengthened)
  const { epochs, batchSize } = config.train
  const session = host.begin({ epochs, batchSize, images: data.train.images.count })
  try {
    host.note(announcement(facts, data, folder))
    if (lengthened !== null)
      host.note(`${folder}: lengthening the run from ${found!.record!.epochs} to ${epochs} epochs`)
    const warning = spectrumWarning(config, data)
    if (warning !== null) host.note(`note: ${warning}: raise spectrum.images`)
    for (const each of [...configWarnings(config), ...effectWarnings(config)]) host.note(`warning: ${each}`)
    const point = use === 'resume' ? await resumePoint(files, config, found, earlier, host.note) : null
    const { engine } = selection
    await executeRun({ config, data, engine, threads, files, facts, point, ...session })
    const stalled = stalledWarning(readMetrics(files.metrics))
    if (stalled !== null) host.note(`warning: ${folder}: ${stalled}`)
    return epochs - (point?.checkpoint.epoch ?? 0)
  } finally {
    session.end()
    await releaseLock(files.lock)
  }
}

/** Returns where to resume, null to start from the beginning. Warns of damaged files, which are made again. */
async function resumePoint(
  files: RunFiles,
  config: Config,
  found: FoundRun | null,
  earlier: EarlierRun | null,
  log: TrainHost['note'],
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
  config: Config,
  earlier: EarlierRun | null,
  threads: number,
  select: typeof selectEngine,
): Promise<Selection> {
  const { device } = config
  // No engine's choice depends on the number of images.
  const needs = { spec: trainerSpec(config, 1, threads), begunWith: earlier?.record?.engine.name }
  if (device !== 'auto' || earlier === null) return select(device, needs)
  const first = devices.find((each) => each === earlier.device)
  if (first === undefined)
    throw new EigenaeError({
      problem: `this run was started on the device ${earlier.device}, which this version does not have`,
      subject: folder,
      hint: 'Resume with the version that started it, or start over with --overwrite.',
    })
  return { ...(await select(first, needs)), reason: earlier.record?.deviceReason ?? 'as in its checkpoint' }
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
    engine: { name: engine.name, variant: engine.variant, threads, origin: engine.origin },
    ...environment,
    dataSource: absoluteSource(data.source),
    dataSha256: data.sha256,
    imageShape: data.train.images.shape,
    started: earlier?.started ?? new Date().toISOString(),
    configSha256: configSha256(config),
    ...(earlier?.shorterConfigs && { shorterConfigs: earlier.shorterConfigs }),
  }
}

/** Throws if the data has changed. Notes another version or instruction set, which may change the last digits. */
function compareWithEarlier(
  earlier: EarlierRun,
  now: RunFacts,
  folder: string,
  log: TrainHost['note'],
): void {
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
