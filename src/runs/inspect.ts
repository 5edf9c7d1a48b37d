import { statSync } from 'node:fs'
import { join } from 'node:path'
import { configSchema } from '../config/schema.js'
import { knownError } from '../errors.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import {
  type CheckpointHead,
  modelMismatch,
  readCheckpoint,
  readCheckpointHead,
  readModel,
} from './checkpoint.js'
import { checkpointName, type RunFiles, type TableName, tableNames } from './files.js'
import { changed, collect, type Damage, mismatch, prefixMismatch, sha256, sumOfFile } from './integrity.js'
import { changedRecord, configSums, type RunRecord, readRecord } from './record.js'
import { wholeLines } from './tables.js'

const contentNames = ['config.json', ...tableNames, 'evaluation.json'] as const

/**
 * The small files of a run; undefined if missing. The tables are without the rows after the checkpoint if the run is not
 * complete. Runs of version 0.2.0 and earlier have neither layers.csv nor losses.csv.
 */
export type RunContents = Readonly<Record<(typeof contentNames)[number], Buffer | undefined>>

export interface Inspection {
  readonly record: RunRecord
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
  const { record, isChanged } = readRecord(files.record)
  if (isChanged) damage.push(changedRecord)
  // Read before the tables: a running process adds rows first, then replaces its checkpoint.
  const needsHead = depth === 'heads' || record.status !== 'completed'
  const head = needsHead ? (collect(damage, checkpointName, () => readCheckpointHead(files)) ?? null) : null
  const contents = readContents(files, damage)
  const config = contents['config.json']
  // A run that is being lengthened has its longer config in run.json before it has it in config.json.
  const sums = record.status === 'completed' ? [record.configSha256] : configSums(record)
  if (config === undefined) damage.push({ file: 'config.json', reason: 'is missing' })
  else if (!sums.includes(sha256(config))) damage.push({ file: 'config.json', reason: changed })
  if (record.status === 'completed') {
    checkSums(files, record.files, contents, damage)
    if (depth === 'heads' && !isDamaged(damage, 'config.json')) checkHeads(files, head, config!, damage)
    return { record, contents, surplus: [], damage }
  }
  const kept = checkIncomplete(record, head, contents, damage)
  const surplus = tableNames.filter((name) => kept[name]?.length !== contents[name]?.length)
  return { record, contents: kept, surplus, damage }
}

function isDamaged(damage: readonly Damage[], name: string): boolean {
  return damage.some(({ file }) => file === name)
}

function readContents(files: RunFiles, damage: Damage[]): RunContents {
  const contents = contentNames.map((name) => {
    const limit = name.endsWith('.json') ? sizeLimits.json : sizeLimits.table
    return [name, collect(damage, name, () => readIfPresent(join(files.folder, name), limit))]
  })
  return Object.fromEntries(contents)
}

type CompletedRecord = Extract<RunRecord, { status: 'completed' }>

/** Compares the small files with their checksums, and the lengths of the others. */
function checkSums(
  files: RunFiles,
  sums: CompletedRecord['files'],
  contents: RunContents,
  damage: Damage[],
): void {
  for (const [name, sum] of Object.entries(sums)) {
    if (isDamaged(damage, name)) continue
    const reason =
      name in contents
        ? mismatch(contents[name as keyof RunContents], sum)
        : lengthMismatch(join(files.folder, name), sum.bytes)
    if (reason !== null) damage.push({ file: name, reason })
  }
}

function lengthMismatch(file: string, bytes: number): string | null {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return 'is missing'
  if (!found.isFile()) return 'is not a regular file'
  return found.size === bytes ? null : `has ${found.size} bytes, the run wrote ${bytes}`
}

/** Checks that model and checkpoint belong to this run. */
function checkHeads(files: RunFiles, head: CheckpointHead | null, config: Buffer, damage: Damage[]): void {
  if (!isDamaged(damage, 'model.safetensors')) {
    const reason = collect(damage, 'model.safetensors', () =>
      modelMismatch(files.model, JSON.parse(config.toString())),
    )
    if (reason) damage.push({ file: 'model.safetensors', reason })
  }
  if (head !== null && head.origin.configSha256 !== sha256(config)) damage.push(ofAnotherRun)
}

const ofAnotherRun: Damage = { file: checkpointName, reason: 'belongs to another run' }

/** Returns the contents without the rows after the checkpoint. */
function checkIncomplete(
  record: RunRecord,
  head: CheckpointHead | null,
  contents: RunContents,
  damage: Damage[],
): RunContents {
  // A run cannot be interrupted once its evaluation is written, and a resume removes the evaluation. A run that is
  // being lengthened may have that of the shorter run.
  const isEarlier = record.status === 'interrupted' && contents['evaluation.json'] !== undefined
  if (isEarlier && record.shorterConfigs === undefined)
    damage.push({ file: 'run.json', reason: 'is older than evaluation.json' })
  if (isDamaged(damage, checkpointName)) return contents
  if (head === null) {
    const [, firstRow] = wholeLines(contents['metrics.csv'] ?? Buffer.alloc(0))
    if (firstRow !== undefined) damage.push({ file: checkpointName, reason: 'is missing' })
    return contents
  }
  const { configSha256, tables } = head.origin
  if (!configSums(record).includes(configSha256)) {
    damage.push(ofAnotherRun)
    return contents
  }
  for (const name of tableNames) {
    const sum = tables[name]
    const reason = sum === undefined ? null : prefixMismatch(contents[name], sum)
    if (reason !== null) damage.push({ file: name, reason })
  }
  const kept = tableNames.map((name) => [name, contents[name]?.subarray(0, tables[name]?.bytes)])
  return { ...contents, ...Object.fromEntries(kept) }
}

export interface Verification {
  /** Null if run.json cannot be read. */
  readonly record: RunRecord | null
  readonly damage: readonly Damage[]
  /** Tables with rows after the last checkpoint. */
  readonly surplus: readonly string[]
}

/** Checks a run as `inspectRun` does, and in addition every byte of its model and checkpoint. */
export function verifyRun(files: RunFiles): Verification {
  try {
    const { record, contents, surplus, damage } = inspectRun(files, 'heads')
    const more: Damage[] = []
    if (record.status === 'completed') {
      for (const name of ['model.safetensors', checkpointName].filter((each) => !isDamaged(damage, each)))
        if (sumOfFile(join(files.folder, name))?.sha256 !== record.files[name]?.sha256)
          more.push({ file: name, reason: changed })
    } else if (!isDamaged(damage, 'config.json')) {
      // Undefined if another version wrote the config.
      const config = configSchema.safeParse(JSON.parse(contents['config.json']!.toString())).data
      if (config !== undefined) {
        collect(more, 'model.safetensors', () => readModel(files.model, config))
        if (!isDamaged(damage, checkpointName))
          collect(more, checkpointName, () => readCheckpoint(files, config))
      }
    }
    return { record, damage: [...damage, ...more], surplus }
  } catch (error) {
    const { problem } = knownError(error).parts
    return { record: null, damage: [{ file: 'run.json', reason: problem }], surplus: [] }
  }
}
