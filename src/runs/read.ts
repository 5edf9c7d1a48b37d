import { z } from 'zod'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError, knownError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { parseJsonIfValid, readIfPresent, readJsonIfPresent, sizeLimits } from '../files/read.js'
import { type RunFiles, runFiles } from './files.js'
import { type Inspection, inspectRun, type RunContents } from './inspect.js'
import { collect, type Damage, damagedRun, remakeHint } from './integrity.js'
import type { KnownAccuracies, MeasuredRun } from './metrics.js'
import { noNotes, type RunNotes, readNotes } from './notes.js'
import type { RunRecord, RunStatus } from './record.js'
import {
  type LayersRow,
  type LossesRow,
  layersColumns,
  lossesColumns,
  type MetricsRow,
  metricsColumns,
  type SpectrumRow,
  spectrumColumns,
  type TimingsRow,
  tableRows,
  thinnedRows,
  timingsColumns,
} from './tables.js'

/** A run folder as the commands read it. */
export interface Run extends KnownAccuracies {
  readonly folder: string
  readonly record: RunRecord
  /**
   * `record.status`, except that a run which is recorded as running but whose process is gone (kill -9, a crash) is
   * "interrupted", and a run with a changed or missing file is "damaged".
   */
  readonly status: RunStatus | 'damaged'
  readonly damage: readonly Damage[]
  /** Null if the run is damaged, or its config is not one that this version can read. */
  readonly config: Config | null
  /** One row per trained epoch. */
  readonly metrics: readonly MetricsRow[]
  /** The user's tags and note. None if notes.json is damaged, which does not damage the run. */
  readonly notes: RunNotes
  /** Why notes.json cannot be read; null if it can. */
  readonly notesError: EigenaeError | null
}

/** Everything in a run folder but the model. */
export interface WholeRun extends Run {
  readonly status: RunStatus
  readonly config: Config
  /** d rows per epoch, from epoch 0 (before training) on. Long runs have only some epochs, see `thinnedRows`. */
  readonly spectrum: readonly SpectrumRow[]
  /** A row per hidden layer and epoch, from epoch 0 on, for the same epochs; empty in runs of version 0.2.0 and earlier. */
  readonly layers: readonly LayersRow[]
  /** A row per eigen loss and trained epoch, for the same epochs; empty in runs of version 0.2.0 and earlier. */
  readonly losses: readonly LossesRow[]
}

/** @throws EigenaeError if run.json cannot be read. */
export async function readRun(folder: string): Promise<Run> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  const isDamaged = damage.length > 0
  const isUnknown = damage.some(({ file }) => ['run.json', 'config.json', 'metrics.csv'].includes(file))
  return {
    folder,
    record,
    status: isDamaged ? 'damaged' : status,
    damage,
    config: isDamaged ? null : (collect([], 'config.json', () => configIn(contents, files)) ?? null),
    metrics: isUnknown ? [] : metricsIn(contents, files),
    ...accuraciesIn(isDamaged ? undefined : contents['evaluation.json']),
    ...notesIn(files),
  }
}

async function inspectWithStatus(files: RunFiles): Promise<Inspection & { readonly status: RunStatus }> {
  const inspection = inspectRun(files, 'tables')
  const { status } = inspection.record
  if (status !== 'running' || (await isLocked(files.lock))) return { ...inspection, status }
  // The run may have ended after run.json was read and before the lock was.
  const again = inspectRun(files, 'tables')
  return { ...again, status: again.record.status === 'running' ? 'interrupted' : again.record.status }
}

/** @throws EigenaeError if the run is damaged. */
export async function readWholeRun(folder: string): Promise<WholeRun> {
  const files = runFiles(folder)
  const { record, damage, contents, status } = await inspectWithStatus(files)
  if (damage.length > 0) throw damagedRun(folder, damage)
  return {
    folder,
    record,
    status,
    damage,
    metrics: metricsIn(contents, files),
    config: configIn(contents, files),
    spectrum: thinnedRows(contents['spectrum.csv'], files.spectrum, spectrumColumns),
    layers: thinnedRows(contents['layers.csv'], files.layers, layersColumns),
    losses: thinnedRows(contents['losses.csv'], files.losses, lossesColumns),
    ...accuraciesIn(contents['evaluation.json']),
    ...notesIn(files),
  }
}

function notesIn({ notes }: RunFiles): Pick<Run, 'notes' | 'notesError'> {
  try {
    return { notes: readNotes(notes), notesError: null }
  } catch (error) {
    return { notes: noNotes, notesError: knownError(error) }
  }
}

function metricsIn(contents: RunContents, files: RunFiles): readonly MetricsRow[] {
  return [...tableRows(contents['metrics.csv'], files.metrics, metricsColumns)]
}

/** The fields that readers need in a config of another version, which this version cannot train. */
const foreignConfigSchema = z.looseObject({
  name: z.string(),
  model: z.looseObject({ widths: z.array(z.int()).min(1) }),
  loss: z.looseObject({ eigen: z.looseObject({ kind: z.string() }).nullable() }),
  data: z.looseObject({}),
  train: z.looseObject({}),
  spectrum: z.looseObject({}),
})

/** Returns the config with defaults for fields that are newer than the run. Unknown fields are kept. */
function configIn(contents: RunContents, files: RunFiles): Config {
  const value: unknown = JSON.parse(contents['config.json']!.toString('utf8'))
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const foreign = foreignConfigSchema.safeParse(value)
  if (foreign.success) return value as Config
  const { path, message } = foreign.error.issues[0]!
  const problem = `this is not the config of a run: ${[path.join('.'), message].filter(Boolean).join(': ')}`
  throw new EigenaeError({ problem, subject: files.config, cause: foreign.error })
}

/** Returns the rows of metrics.csv; empty if the file does not exist. */
export function readMetrics(file: string): readonly MetricsRow[] {
  return [...tableRows(readIfPresent(file, sizeLimits.table), file, metricsColumns)]
}

/** Returns the rows of timings.csv; empty if the file does not exist. */
export function readTimings(file: string): readonly TimingsRow[] {
  return [...tableRows(readIfPresent(file, sizeLimits.table), file, timingsColumns)]
}

// Below the lowest usual limit of open files (macOS: 256).
const maximumAtOnce = 64

/** Reads many run folders, some of them at once. The result has the order of `folders`. */
export async function readRuns<T>(
  folders: readonly string[],
  read: (folder: string) => Promise<T>,
): Promise<readonly T[]> {
  const runs = new Array<T>(folders.length)
  const indexes = folders.keys()
  const worker = async () => {
    for (const index of indexes) runs[index] = await read(folders[index]!)
  }
  await Promise.all(Array.from({ length: maximumAtOnce }, worker))
  return runs
}

const numbers = z.array(z.number()).readonly()
const evaluationSchema = z.object({
  /** Runs of other versions may lack some. */
  metrics: z.partialRecord(z.enum(metricsColumns), z.number()),
  spectrum: z.object({
    singular_values: numbers,
    singular_shares: numbers,
    eigenvalues: numbers,
    eigen_shares: numbers,
  }),
  /** Share of the test images, 0 to 1. */
  linear_probe_accuracy: z.number(),
  /** Share of the test images, 0 to 1; undefined in runs of earlier versions. */
  neighbour_accuracy: z.number().optional(),
})

/** evaluation.json: the last epoch's metrics, its spectrum, and the accuracies of two classifiers on the embedding. */
export type FinalEvaluation = z.output<typeof evaluationSchema>

/** Returns the evaluation of a completed run. @throws EigenaeError if the file is missing or damaged. */
export function readEvaluation(file: string): FinalEvaluation {
  const evaluation = evaluationSchema.safeParse(readJsonIfPresent(file))
  if (evaluation.success) return evaluation.data
  throw new EigenaeError({
    problem: 'is missing, or is not the evaluation of a completed run',
    subject: file,
    hint: remakeHint,
    cause: evaluation.error,
  })
}

/** Returns the evaluation in the form from which `metricOf` reads metrics. */
export function measuredRun(evaluation: FinalEvaluation): MeasuredRun {
  return {
    metrics: [evaluation.metrics as Readonly<Record<string, number>>],
    config: null,
    linearProbeAccuracy: evaluation.linear_probe_accuracy,
    neighbourAccuracy: evaluation.neighbour_accuracy ?? null,
  }
}

const accuraciesSchema = evaluationSchema.pick({ linear_probe_accuracy: true, neighbour_accuracy: true })

/** Returns the accuracies in an evaluation.json of any version; null if the file is missing or damaged. */
function accuraciesIn(content: Buffer | undefined): KnownAccuracies {
  const found = accuraciesSchema.safeParse(parseJsonIfValid(content)).data
  return {
    linearProbeAccuracy: found?.linear_probe_accuracy ?? null,
    neighbourAccuracy: found?.neighbour_accuracy ?? null,
  }
}
