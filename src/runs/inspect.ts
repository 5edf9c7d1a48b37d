import { statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { parseJsonIfValid } from '../files/json.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { type CheckpointHead, readCheckpoint, readCheckpointHead } from './checkpoint.js'
import { accuraciesIn } from './evaluation.js'
import { checkpointName, type RunFiles, type TableName, tableNames } from './files.js'
import { changed, collect, type Damage, mismatch, prefixMismatch, sha256, sumOfFile } from './integrity.js'
import { readModel, readModelHead } from './model-file.js'
import {
  type CheckedRecord,
  changedRecord,
  configSums,
  type FileSums,
  type RunRecord,
  readRecord,
} from './record.js'
import { wholeLines } from './tables.js'

/** The small files of a run; undefined if missing. */
export interface RunContents {
  readonly 'config.json': Buffer | undefined
  /** Without the rows after the checkpoint if the run is not complete. */
  readonly 'metrics.csv': Buffer | undefined
  readonly 'spectrum.csv': Buffer | undefined
  readonly 'timings.csv': Buffer | undefined
  /** Runs of version 0.2.0 and earlier have neither of these two. */
  readonly 'layers.csv': Buffer | undefined
  readonly 'losses.csv': Buffer | undefined
  readonly 'evaluation.json': Buffer | undefined
}

export interface Inspection {
  readonly record: RunRecord
  readonly checksum: CheckedRecord['checksum']
  readonly contents: RunContents
  /** Tables of an incomplete run with rows after its checkpoint, which a resume drops. */
  readonly surplus: readonly TableName[]
  readonly damage: readonly Damage[]
}

/** Whether to read the headers of a completed run's model and checkpoint too, which name the config they belong to. */
type Depth = 'tables' | 'heads'

/**
 * Checks all of a run that is cheap to check: its small files, and the lengths of model and checkpoint. It is
 * synchronous for the reason given at `readIfPresent`. A run that looks damaged is checked again, since another
 * process may be writing it.
 * @throws EigenaeError if run.json cannot be read.
 */
export function inspectRun(files: RunFiles, depth: Depth): Inspection {
  const first = inspectOnce(files, depth)
  return first.damage.length === 0 ? first : inspectOnce(files, depth)
}

function inspectOnce(files: RunFiles, depth: Depth): Inspection {
  const damage: Damage[] = []
  const { record, checksum } = readRecord(files.record)
  if (checksum === 'wrong') damage.push(changedRecord)
  // Read before the tables: a running process adds rows first, then replaces its checkpoint.
  const needsHead = depth === 'heads' || record.status !== 'completed'
  const head = needsHead ? (collect(damage, checkpointName, () => readCheckpointHead(files)) ?? null) : null
  const contents = readContents(files, damage)
  for (const reason of configReasons(record, contents['config.json']))
    damage.push({ file: 'config.json', reason })
  if (record.status === 'completed') {
    checkCompleted(files, record.files, contents, damage)
    if (depth === 'heads') checkHeaders(files, head, contents['config.json'], damage)
    return { record, checksum, contents, surplus: [], damage }
  }
  const kept = checkIncomplete(record, head, contents, damage)
  const surplus = tableNames.filter((name) => kept[name]?.length !== contents[name]?.length)
  return { record, checksum, contents: kept, surplus, damage }
}

function readContents(files: RunFiles, damage: Damage[]): RunContents {
  const read = (name: keyof RunContents, limit: number) =>
    collect(damage, name, () => readIfPresent(join(files.folder, name), limit))
  return {
    'config.json': read('config.json', sizeLimits.json),
    'metrics.csv': read('metrics.csv', sizeLimits.table),
    'spectrum.csv': read('spectrum.csv', sizeLimits.table),
    'timings.csv': read('timings.csv', sizeLimits.table),
    'layers.csv': read('layers.csv', sizeLimits.table),
    'losses.csv': read('losses.csv', sizeLimits.table),
    'evaluation.json': read('evaluation.json', sizeLimits.json),
  }
}

const identitySchema = z.object({
  name: z.string(),
  seed: z.number(),
  train: z.object({ epochs: z.number() }),
})

function configReasons(record: RunRecord, content: Buffer | undefined): readonly string[] {
  if (content === undefined) return ['is missing']
  if (record.configSha256 !== undefined) {
    // A run that is being lengthened has its longer config in run.json before it has it in config.json.
    const sums = record.status === 'completed' ? [record.configSha256] : configSums(record)
    return sums.includes(sha256(content)) ? [] : [changed]
  }
  const config = parseJsonIfValid(content)
  if (config === undefined) return ['is not valid JSON']
  const { success, data } = identitySchema.safeParse(config)
  if (!success) return []
  const pairs = [
    ['name', data.name, record.name],
    ['seed', data.seed, record.seed],
    ['train.epochs', data.train.epochs, record.epochs],
  ] as const
  return pairs
    .filter(([, mine, recorded]) => mine !== recorded)
    .map(([field, mine, recorded]) => `has ${field} ${mine}, run.json has ${recorded}`)
}

/** @param sums undefined in runs of 0.1.0 */
function checkCompleted(
  files: RunFiles,
  sums: FileSums | undefined,
  contents: RunContents,
  damage: Damage[],
): void {
  for (const [name, sum] of Object.entries(sums ?? {})) {
    if (damage.some(({ file }) => file === name)) continue
    const content = name in contents ? contents[name as keyof RunContents] : undefined
    const reason =
      name in contents ? mismatch(content, sum) : lengthMismatch(join(files.folder, name), sum.bytes)
    if (reason !== null) damage.push({ file: name, reason })
  }
  const evaluation = contents['evaluation.json']
  if (sums !== undefined || damage.some(({ file }) => file === 'evaluation.json')) return
  if (evaluation === undefined) damage.push({ file: 'evaluation.json', reason: 'is missing' })
  else if (accuraciesIn(evaluation).linearProbeAccuracy === null)
    damage.push({ file: 'evaluation.json', reason: 'is not the evaluation of a completed run' })
}

function lengthMismatch(file: string, bytes: number): string | null {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return 'is missing'
  if (!found.isFile()) return 'is not a regular file'
  return found.size === bytes ? null : `has ${found.size} bytes, the run wrote ${bytes}`
}

/** Checks that model and checkpoint belong to this run. */
function checkHeaders(
  files: RunFiles,
  head: CheckpointHead | null,
  content: Buffer | undefined,
  damage: Damage[],
): void {
  if (content === undefined || damage.some(({ file }) => file === 'config.json')) return
  const config = parseJsonIfValid(content)
  if (!damage.some(({ file }) => file === 'model.safetensors')) {
    const model = collect(damage, 'model.safetensors', () => readModelHead(files.model, config))
    if (model?.mismatch) damage.push({ file: 'model.safetensors', reason: model.mismatch })
  }
  if (head?.origin && head.origin.configSha256 !== sha256(content)) damage.push(ofAnotherRun)
}

const ofAnotherRun: Damage = { file: checkpointName, reason: 'belongs to another run' }

/** Returns the contents without the rows after the checkpoint. */
function checkIncomplete(
  record: RunRecord,
  head: CheckpointHead | null,
  contents: RunContents,
  damage: Damage[],
): RunContents {
  // A run cannot be interrupted once its evaluation is written, and a resume removes the evaluation.
  const isEarlier = record.status === 'interrupted' && contents['evaluation.json'] !== undefined
  const mayBeEarlier = record.configSha256 === undefined || record.shorterConfigs !== undefined
  if (isEarlier && !mayBeEarlier) damage.push({ file: 'run.json', reason: 'is older than evaluation.json' })
  if (damage.some(({ file }) => file === checkpointName)) return contents
  if (head === null) {
    const [, firstRow] = wholeLines(contents['metrics.csv'] ?? Buffer.alloc(0))
    const hasEpochs = firstRow !== undefined
    if (hasEpochs && record.configSha256 !== undefined)
      damage.push({ file: checkpointName, reason: 'is missing' })
    return contents
  }
  const { origin } = head
  if (origin === null) return contents
  const config = contents['config.json']
  const expected = record.configSha256 === undefined ? [config && sha256(config)] : configSums(record)
  if (expected[0] !== undefined && !expected.includes(origin.configSha256)) {
    damage.push(ofAnotherRun)
    return contents
  }
  for (const name of tableNames) {
    const sum = origin.tables[name]
    const reason = sum === undefined ? null : prefixMismatch(contents[name], sum)
    if (reason !== null) damage.push({ file: name, reason })
  }
  const kept = tableNames.map((name) => [name, contents[name]?.subarray(0, origin.tables[name]?.bytes)])
  return { ...contents, ...Object.fromEntries(kept) }
}

export interface Verification {
  /** Null if run.json cannot be read. */
  readonly record: RunRecord | null
  /** Whether the run was made with checksums. */
  readonly checksums: boolean
  readonly damage: readonly Damage[]
  /** Tables with rows after the last checkpoint. */
  readonly surplus: readonly string[]
}

/** Checks a run as `inspectRun` does, and in addition every byte of its model and checkpoint. */
export function verifyRun(files: RunFiles): Verification {
  try {
    const { record, checksum, contents, surplus, damage } = inspectRun(files, 'heads')
    const config = damage.some(({ file }) => file === 'config.json')
      ? null
      : configOfThisVersion(contents['config.json']!)
    const all = [...damage, ...checkTensors(files, record, config, damage)]
    return { record, checksums: checksum !== 'none', damage: all, surplus }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return {
      record: null,
      checksums: false,
      damage: [{ file: 'run.json', reason: error.parts.problem }],
      surplus: [],
    }
  }
}

/** Returns null if another version wrote the config. */
function configOfThisVersion(content: Buffer): Config | null {
  return configSchema.safeParse(JSON.parse(content.toString('utf8'))).data ?? null
}

function checkTensors(
  files: RunFiles,
  record: RunRecord,
  config: Config | null,
  known: readonly Damage[],
): readonly Damage[] {
  const damage: Damage[] = []
  const completed = record.status === 'completed'
  const sums = (completed && record.files) || {}
  const checks = [
    ['model.safetensors', (of: Config) => readModel(files.model, of, undefined)],
    [checkpointName, (of: Config) => readCheckpoint(files, of)],
  ] as const
  for (const [name, read] of checks) {
    if (known.some(({ file }) => file === name)) continue
    const sum = sums[name]
    if (sum !== undefined) {
      if (sumOfFile(join(files.folder, name))?.sha256 !== sum.sha256)
        damage.push({ file: name, reason: changed })
    } else if (config !== null) {
      const found = collect(damage, name, () => read(config))
      if (found === null && completed && name === 'model.safetensors')
        damage.push({ file: name, reason: 'is missing' })
    }
  }
  return damage
}
