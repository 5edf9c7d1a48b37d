import { join } from 'node:path'
import { z } from 'zod'
import { readHead, readIfPresent, sizeLimits } from '../files/read.js'
import { type CheckpointHead, readCheckpointHead } from './checkpoint.js'
import { changed, mismatch, prefixMismatch, sha256 } from './checksums.js'
import { collect, type Damage } from './damage.js'
import { probeOf } from './evaluation.js'
import { checkpointName, type RunFiles, type TableName, tableNames } from './files.js'
import { readModelHead } from './model-file.js'
import { type CheckedRecord, changedRecord, type FileSums, type RunRecord, readRecord } from './record.js'

/** The small files of a run, as they were checked; undefined if missing. */
export interface RunContents {
  readonly 'config.json': Buffer | undefined
  /** The rows that count: those up to the checkpoint if the run is not complete. */
  readonly 'metrics.csv': Buffer | undefined
  readonly 'spectrum.csv': Buffer | undefined
  readonly 'timings.csv': Buffer | undefined
  readonly 'evaluation.json': Buffer | undefined
}

export interface Inspection {
  readonly record: RunRecord
  readonly checksum: CheckedRecord['checksum']
  readonly contents: RunContents
  /** Empty if nothing is wrong. */
  readonly damage: readonly Damage[]
}

/**
 * Checks all of a run that costs little: its small files, and the headers and lengths of model and checkpoint. Synchronous, as
 * `readIfPresent` is. What looks damaged is looked at twice, since another process may be writing the run.
 * @throws EigenaeError if run.json cannot be read.
 */
export function inspectRun(files: RunFiles): Inspection {
  const first = inspectOnce(files)
  return first.damage.length === 0 ? first : inspectOnce(files)
}

function inspectOnce(files: RunFiles): Inspection {
  const damage: Damage[] = []
  const { record, checksum } = readRecord(files.record)
  if (checksum === 'wrong') damage.push(changedRecord)
  // Before the tables: a run at work adds rows first, then replaces its checkpoint.
  const head = collect(damage, checkpointName, () => readCheckpointHead(files)) ?? null
  const contents = readContents(files, damage)
  const config = checkConfig(record, contents['config.json'], damage)
  if (record.status === 'completed') {
    checkCompleted(files, record.files, contents, damage)
    checkHeaders(files, config, head, contents['config.json'], damage)
    return { record, checksum, contents, damage }
  }
  return { record, checksum, contents: checkIncomplete(record, head, contents, damage), damage }
}

function readContents(files: RunFiles, damage: Damage[]): RunContents {
  const read = (name: keyof RunContents, limit: number) =>
    collect(damage, name, () => readIfPresent(join(files.folder, name), limit))
  return {
    'config.json': read('config.json', sizeLimits.json),
    'metrics.csv': read('metrics.csv', sizeLimits.table),
    'spectrum.csv': read('spectrum.csv', sizeLimits.table),
    'timings.csv': read('timings.csv', sizeLimits.table),
    'evaluation.json': read('evaluation.json', sizeLimits.json),
  }
}

const identitySchema = z.object({
  name: z.string(),
  seed: z.number(),
  train: z.object({ epochs: z.number() }),
})

/** Returns the parsed config.json, undefined if it is none. */
function checkConfig(record: RunRecord, content: Buffer | undefined, damage: Damage[]): unknown {
  const add = (reason: string) => void damage.push({ file: 'config.json', reason })
  if (content === undefined) return add('is missing')
  if (record.configSha256 !== undefined && sha256(content) !== record.configSha256) return add(changed)
  const config = parsed(content)
  if (config === undefined) return add('is not valid JSON')
  const { success, data } = identitySchema.safeParse(config)
  if (!success) return config
  const pairs = [
    ['name', data.name, record.name],
    ['seed', data.seed, record.seed],
    ['train.epochs', data.train.epochs, record.epochs],
  ] as const
  for (const [field, mine, recorded] of pairs)
    if (mine !== recorded) add(`has ${field} ${mine}, run.json has ${recorded}`)
  return config
}

function parsed(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'))
  } catch {
    return undefined
  }
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
  if (damage.some(({ file }) => file === 'evaluation.json')) return
  if (evaluation === undefined) damage.push({ file: 'evaluation.json', reason: 'is missing' })
  else if (probeOf(evaluation) === null)
    damage.push({ file: 'evaluation.json', reason: 'is not the evaluation of a completed run' })
}

function lengthMismatch(file: string, bytes: number): string | null {
  const head = readHead(file, 0)
  if (head === undefined) return 'is missing'
  return head.fileLength === bytes ? null : `has ${head.fileLength} bytes, the run wrote ${bytes}`
}

/** Whether model and checkpoint, which may be whole, are this run's. */
function checkHeaders(
  files: RunFiles,
  config: unknown,
  head: CheckpointHead | null,
  content: Buffer | undefined,
  damage: Damage[],
): void {
  if (config === undefined || damage.some(({ file }) => file === 'config.json')) return
  if (!damage.some(({ file }) => file === 'model.safetensors')) {
    const model = collect(damage, 'model.safetensors', () => readModelHead(files.model, config))
    if (model?.mismatch) damage.push({ file: 'model.safetensors', reason: model.mismatch })
  }
  if (head?.origin && head.origin.configSha256 !== sha256(content!)) damage.push(ofAnotherRun)
}

const ofAnotherRun: Damage = { file: checkpointName, reason: "is another run's checkpoint" }

/** Returns the contents with the rows that count. */
function checkIncomplete(
  record: RunRecord,
  head: CheckpointHead | null,
  contents: RunContents,
  damage: Damage[],
): RunContents {
  if (damage.some(({ file }) => file === checkpointName)) return contents
  if (head === null) {
    const begun = (contents['metrics.csv']?.toString('utf8').split('\n').length ?? 0) > 2
    if (begun && record.configSha256 !== undefined)
      damage.push({ file: checkpointName, reason: 'is missing' })
    return contents
  }
  const { origin } = head
  if (origin === null) return contents
  const config = contents['config.json']
  const expected = record.configSha256 ?? (config && sha256(config))
  if (expected !== undefined && origin.configSha256 !== expected) {
    damage.push(ofAnotherRun)
    return contents
  }
  for (const name of tableNames) {
    const reason = prefixMismatch(contents[name], origin.tables[name])
    if (reason !== null) damage.push({ file: name, reason })
  }
  const upTo = (name: TableName) => contents[name]?.subarray(0, origin.tables[name].bytes)
  return {
    ...contents,
    'metrics.csv': upTo('metrics.csv'),
    'spectrum.csv': upTo('spectrum.csv'),
    'timings.csv': upTo('timings.csv'),
  }
}
