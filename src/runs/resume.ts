import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.js'
import { eigenLossesOf } from '../eigen-losses/index.js'
import { withFileErrors } from '../errors.js'
import { readIfPresent, sizeLimits } from '../files/read.js'
import { innerWidths, latentDimension } from '../model/architecture.js'
import { type Checkpoint, readCheckpoint, readCheckpointHead } from './checkpoint.js'
import { checkpointName, type RunFiles, type TableName, tableNames } from './files.js'
import { collect, configSha256, type Damage, prefixMismatch } from './integrity.js'
import { configSums, type RunRecord } from './record.js'
import { bytesUpTo, type ExpectedRows, ofOtherVersion, requireColumns, tableColumns } from './tables.js'

/** The device and the data that a resumed run must keep. */
export interface EarlierRun {
  readonly device: string
  readonly dataSha256: Readonly<Record<string, string>>
  /** Null if run.json is damaged. */
  readonly record: RunRecord | null
}

/** Where a run resumes: its checkpoint, and the length in bytes of each table up to the checkpoint's epoch. */
export interface ResumePoint {
  readonly checkpoint: Checkpoint
  readonly tableBytes: Readonly<Record<TableName, number>>
}

export interface ResumePlan {
  /** Null to start from the beginning. */
  readonly point: ResumePoint | null
  /** Why an existing checkpoint cannot be used. */
  readonly damage: readonly Damage[]
}

/** Returns the device and data in run.json, or else in the checkpoint; null if neither can be read. */
export function earlierRun(files: RunFiles, record: RunRecord | null): EarlierRun | null {
  if (record !== null) return { device: record.device, dataSha256: record.dataSha256, record }
  const origin = collect([], checkpointName, () => readCheckpointHead(files))?.origin ?? null
  return origin && { device: origin.device, dataSha256: origin.dataSha256, record: null }
}

/**
 * Returns where a run of this config resumes. Its checkpoint is used only if it is undamaged, belongs to this run and is not
 * newer than the tables. Otherwise training starts over, which gives the same bytes.
 * @throws EigenaeError if another version wrote the tables.
 */
export function planResume(files: RunFiles, config: Config, earlier: EarlierRun | null): ResumePlan {
  const damage: Damage[] = []
  const checkpoint = collect(damage, checkpointName, () => readCheckpoint(files, config)) ?? null
  if (checkpoint === null) return { point: null, damage }
  const reason = otherOrigin(checkpoint, config, earlier)
  if (reason !== null) return { point: null, damage: [{ file: checkpointName, reason }] }
  const tableBytes = Object.fromEntries(
    tableNames.map((name) => {
      const kept = keptBytes(join(files.folder, name), name, checkpoint, config)
      if (typeof kept === 'string') damage.push({ file: name, reason: kept })
      return [name, kept]
    }),
  )
  if (damage.length > 0) return { point: null, damage }
  return { point: { checkpoint, tableBytes: tableBytes as ResumePoint['tableBytes'] }, damage }
}

/** Returns why a checkpoint is not one of this run, null if it is. */
function otherOrigin({ origin }: Checkpoint, config: Config, earlier: EarlierRun | null): string | null {
  // Without run.json, the device and the data of a checkpoint of version 0.1.0 are unknown.
  if (origin === null) return earlier === null ? 'does not name its device and its data' : null
  const sameData = Object.entries(origin.dataSha256).every(([key, sum]) => earlier?.dataSha256[key] === sum)
  const sums = [configSha256(config), ...(earlier?.record ? configSums(earlier.record) : [])]
  const isSame = sums.includes(origin.configSha256) && origin.device === earlier?.device && sameData
  return isSame ? null : 'belongs to another run'
}

/** Returns the number of bytes of a table up to a checkpoint, or why they are damaged. */
function keptBytes(
  file: string,
  name: TableName,
  { epoch, origin }: Checkpoint,
  config: Config,
): number | string {
  if (origin === null) return bytesUpTo(file, expectedRows(name, epoch, config))
  const sum = origin.tables[name]
  if (sum === undefined) throw ofOtherVersion(file)
  const reason = prefixMismatch(readIfPresent(file, sizeLimits.table), sum)
  if (reason !== null) return reason
  requireColumns(file, name)
  return sum.bytes
}

function expectedRows(name: TableName, lastEpoch: number, { model, loss }: Config): ExpectedRows {
  const counts = {
    'metrics.csv': { firstEpoch: 1, rowsPerEpoch: 1 },
    'spectrum.csv': { firstEpoch: 0, rowsPerEpoch: latentDimension(model) },
    'timings.csv': { firstEpoch: 1, rowsPerEpoch: 1 },
    'layers.csv': { firstEpoch: 0, rowsPerEpoch: innerWidths(model.widths).length - 1 },
    'losses.csv': { firstEpoch: 1, rowsPerEpoch: eigenLossesOf(loss.eigen).length },
  } as const
  return { ...counts[name], columns: tableColumns[name], lastEpoch }
}

/** Removes the files that a run writes at its end, and the checkpoint if it starts over, so that no old file remains. */
export async function removeResults(files: RunFiles, point: ResumePoint | null): Promise<void> {
  const { model, evaluation, checkpoint } = files
  for (const file of [model, evaluation, ...(point === null ? [checkpoint] : [])])
    await withFileErrors('remove', file, () => rm(file, { force: true }))
}
