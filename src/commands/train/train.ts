import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Override } from '../../config/load.js'
import { loadConfig } from '../../config/load.js'
import { type Config, devices } from '../../config/schema.js'
import { absoluteSource, type DataSet } from '../../data/load.js'
import { type Selection, selectEngine } from '../../engines/select.js'
import { EigenaeError } from '../../errors.js'
import { releaseLock } from '../../files/lock.js'
import { type PlaceFacts, placeFacts } from '../../runs/facts.js'
import { type RunFiles, runFiles } from '../../runs/files.js'
import { inspectRun, verifyRun } from '../../runs/inspect.js'
import { configSha256, damageText } from '../../runs/integrity.js'
import { claimRunFolder, type FolderContent, type FolderUse, inspectRunFolder } from '../../runs/open.js'
import { readMetrics } from '../../runs/read.js'
import type { RunFacts, RunRecord } from '../../runs/record.js'
import {
  type EarlierRun,
  earlierRun,
  planResume,
  type ResumePoint,
  removeResults,
} from '../../runs/resume.js'
import { writeMessage } from '../../text/output.js'
import { spectrumDoubt } from '../../training/evaluate.js'
import { refuseTooLarge } from '../../training/memory.js'
import { executeRun } from '../../training/run.js'
import { stalledWarning } from '../../training/stalled.js'
import { loadTrainingData, sourceOfRun } from '../../training/training-data.js'
import { abortOnSignals, interruptionOf } from '../shared/signals.js'
import { type ProgressDisplay, progressDisplay } from './progress.js'
import { writeReport } from './report.js'

export interface TrainOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  readonly threads: number | undefined
  readonly out: string | undefined
  readonly use: FolderUse
  readonly quiet: boolean
  readonly json: boolean
  /** Where the engine comes from; by default the table of engines. */
  readonly select?: typeof selectEngine
}

/** One run, from a config file to a whole run folder; its results go to stdout. */
export async function train(options: TrainOptions): Promise<void> {
  const config = await loadConfig(options.config, options.overrides)
  const folder = options.out ?? join('runs', config.name, `seed-${config.seed}`)
  const content = await inspectRunFolder(folder, config, options.use)
  const say = options.quiet ? () => {} : writeMessage
  const found = content.kind === 'run' && options.use === 'resume' ? lookAgain(folder, content) : null
  if (found?.record?.status === 'completed' && found.damage.length === 0)
    say(`${folder}: complete already, nothing to do`)
  else await trainInto(folder, config, found, options, say)
  writeReport(runFiles(folder), options.json)
}

type FoundRun = Omit<Extract<FolderContent, { readonly kind: 'run' }>, 'kind'>

/** Checks a completed run to the last byte before it passes for done, and another one as far as that costs little. */
function lookAgain(folder: string, { record, damage }: FoundRun): FoundRun {
  if (record === null || damage.length > 0) return { record, damage }
  const files = runFiles(folder)
  return {
    record,
    damage: (record.status === 'completed' ? verifyRun(files) : inspectRun(files, 'heads')).damage,
  }
}

type Say = (message: string) => void

async function trainInto(
  folder: string,
  config: Config,
  found: FoundRun | null,
  options: TrainOptions,
  say: Say,
): Promise<void> {
  const place = placeFacts() // git answers while the data is read
  const earlier = found && earlierRun(runFiles(folder), found.record)
  const selection = await selectionFor(folder, config, earlier, options.select ?? selectEngine)
  const record = earlier?.record ?? null
  const source = record === null ? config.data.source : sourceOfRun({ config, record })
  const data = await loadTrainingData(config, source)
  const threads = options.threads ?? availableParallelism()
  refuseTooLarge(config, { train: data.train.images.count, test: data.test.images.count }, threads)
  const facts = factsOf(config, selection, { source, ...data }, record, threads, await place)
  if (earlier !== null) compareWithEarlier(earlier, facts, folder, say)
  const files = await claimRunFolder(folder, config, options.use)
  const { signal, release } = abortOnSignals(() => interruptionOf(folder, options.config))
  const display = displayOf(config, data, options.quiet)
  try {
    say(announcement(facts, data, folder))
    const doubt = spectrumDoubt(config, data)
    if (doubt !== null) say(`note: ${doubt}: raise spectrum.images`)
    const point = options.use === 'resume' ? await findPoint(files, config, found, earlier, say) : null
    const { engine } = selection
    const { threads } = facts.engine
    await executeRun({ config, data, engine, threads, files, facts, point, observer: display, signal })
    const stalled = stalledWarning(readMetrics(files.metrics))
    if (stalled !== null) say(`warning: ${folder}: ${stalled}`)
  } finally {
    display.stop()
    release()
    await releaseLock(files.lock)
  }
}

/** Returns where to go on, null at the beginning. What is damaged is remade; that is a warning. */
async function findPoint(
  files: RunFiles,
  config: Config,
  found: FoundRun | null,
  earlier: EarlierRun | null,
  say: Say,
): Promise<ResumePoint | null> {
  const plan = planResume(files, config, earlier)
  const damage = new Map([...(found?.damage ?? []), ...plan.damage].map((each) => [each.file, each]))
  const after = plan.point && `after epoch ${plan.point.checkpoint.epoch}`
  if (damage.size > 0) {
    const what = [...damage.values()].map(damageText).join('; ')
    say(`warning: ${files.folder}: ${what}; it is remade ${after ?? 'from the beginning'}`)
  }
  await removeResults(files, plan.point)
  say(after === null ? 'nothing to resume yet' : `going on ${after}`)
  return plan.point
}

/** What `auto` meant when the run began, it means when it goes on: another device would give other bytes. */
async function selectionFor(
  folder: string,
  { device }: Config,
  earlier: EarlierRun | null,
  select: typeof selectEngine,
): Promise<Selection> {
  if (device !== 'auto' || earlier === null) return select(device)
  const began = devices.find((each) => each === earlier.device)
  if (began === undefined)
    throw new EigenaeError({
      problem: `this run began on the device ${earlier.device}, which this version does not know`,
      subject: folder,
      hint: 'Go on with the version that began it, or start again with --overwrite.',
    })
  return { ...(await select(began)), reason: earlier.record?.deviceReason ?? 'as in its checkpoint' }
}

function factsOf(
  config: Config,
  { engine, reason }: Selection,
  data: DataSet & { readonly source: string },
  earlier: RunRecord | null,
  threads: number,
  place: PlaceFacts,
): RunFacts {
  return {
    name: config.name,
    seed: config.seed,
    epochs: config.train.epochs,
    device: engine.device,
    deviceReason: reason,
    engine: { name: engine.name, variant: engine.variant, threads },
    ...place,
    dataSource: absoluteSource(data.source),
    dataSha256: data.sha256,
    started: earlier?.started ?? new Date().toISOString(),
    configSha256: configSha256(config),
  }
}

/** Other data is an error; another version or instruction set may change the last digits, which is said. */
function compareWithEarlier(earlier: EarlierRun, now: RunFacts, folder: string, say: Say): void {
  const changed = Object.keys(now.dataSha256).filter((key) => earlier.dataSha256[key] !== now.dataSha256[key])
  if (changed.length > 0) {
    throw new EigenaeError({
      problem: `the data has changed since this run began (${changed.join(', ')})`,
      subject: folder,
      hint: 'Bring the old data back, or start again with --overwrite.',
    })
  }
  const { record } = earlier
  if (record === null) return
  const before = [record.versions.eigenae, record.engine.name, record.engine.variant].join(' ')
  const after = [now.versions.eigenae, now.engine.name, now.engine.variant].join(' ')
  if (before !== after) say(`note: begun with ${before}, resumed with ${after}: the last digits may differ`)
}

function displayOf(config: Config, data: DataSet, quiet: boolean): ProgressDisplay {
  const { epochs, batchSize } = config.train
  return progressDisplay({ epochs, batchSize, images: data.train.images.count, quiet })
}

function announcement({ device, deviceReason, engine }: RunFacts, data: DataSet, folder: string): string {
  const cores = `${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}`
  const { count } = data.train.images
  return `${folder}: ${count} images on ${device} (${deviceReason}), ${engine.name} ${engine.variant}, ${cores}`
}
