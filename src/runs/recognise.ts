import { checkConfig } from '../config/check.js'
import { type ConfigDifference, configDifferences } from '../config/difference.js'
import type { Config } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { jsonText } from '../files/json.js'
import { readTextIfPresent } from '../files/read.js'
import { readCheckpointHead } from './checkpoint.js'
import { checkpointName, type RunFiles } from './files.js'
import { changed, collect, configSha256, type Damage, sha256 } from './integrity.js'
import { readModelHead } from './model-file.js'
import { type CheckedRecord, changedRecord, type RunRecord, readRecord } from './record.js'

/** Whose run a folder holds, as seen by a run of a config. */
export type Recognition =
  /** Nothing that is surely a run. */
  | { readonly kind: 'none'; readonly reason: string }
  /** A run of another config, with the fields that differ, a line each. */
  | { readonly kind: 'other'; readonly differences: readonly string[] }
  /** A run of this config. `record` is null if there is none to rely on. */
  | { readonly kind: 'same'; readonly record: RunRecord | null; readonly damage: readonly Damage[] }

/**
 * Recognises the run in a folder, some of whose files may be damaged: run.json, config.json, checkpoint and model each
 * name the config that they were made with. Reads heads and small files only; writes nothing.
 */
export function recognise(files: RunFiles, config: Config): Recognition {
  const damage: Damage[] = []
  const found = collect(damage, 'run.json', () => readRecord(files.record)) ?? null
  if (found?.checksum === 'wrong') damage.push(changedRecord)
  const saved = collect(damage, 'config.json', () => savedConfig(files.config, config)) ?? null
  const tensors = tensorsOf(files, config)
  const recorded = recordedConfig(found, saved, config)
  const isSaved = saved?.differences.length === 0
  if (saved !== null && !isSaved) damage.push({ file: 'config.json', reason: changed })
  const same = (record: RunRecord | null): Recognition => ({ kind: 'same', record, damage })
  if (recorded === 'same') return same(found!.record)
  if (recorded === 'other' && isSaved && tensors === 'same') {
    damage.push({ file: 'run.json', reason: "is another run's" })
    return same(null)
  }
  const isRun = found !== null || tensors !== 'none'
  if (recorded === 'unknown') {
    const isOwn = isRun || (saved?.isCanonical === true && isRest(files.record))
    if ((isSaved && isOwn) || tensors === 'same')
      return same(found?.checksum === 'wrong' ? null : (found?.record ?? null))
  }
  if (!isRun) return { kind: 'none', reason: reasonOf(files, damage) }
  return { kind: 'other', differences: linesOf(saved?.differences ?? []) }
}

/** Recognises a run that was killed before its first run.json: all that it leaves is its config.json. */
export function recogniseBegun(files: RunFiles, config: Config): Recognition {
  const damage: Damage[] = []
  const saved = collect(damage, 'config.json', () => savedConfig(files.config, config))
  if (saved === undefined) return { kind: 'none', reason: reasonOf(files, damage) }
  // A config that is not written as runs write theirs, every field filled in, is someone's own.
  if (!saved.isCanonical)
    return { kind: 'none', reason: `${files.config}: is not the config of a run that was begun` }
  if (saved.differences.length > 0) return { kind: 'other', differences: linesOf(saved.differences) }
  return { kind: 'same', record: null, damage: [] }
}

interface SavedConfig {
  readonly text: string
  /** From the config that is asked for. */
  readonly differences: readonly ConfigDifference[]
  /** Whether it is written as runs write theirs. */
  readonly isCanonical: boolean
}

function savedConfig(file: string, config: Config): SavedConfig {
  const text = readTextIfPresent(file)
  if (text === undefined) throw new EigenaeError({ problem: 'is missing', subject: file })
  const value = parsed(text)
  if (value === undefined) throw new EigenaeError({ problem: 'is not valid JSON', subject: file })
  const checked = checkConfig(value)
  const isCanonical = checked.kind === 'config' && text === jsonText(checked.config)
  return { text, differences: configDifferences(value, config), isCanonical }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What run.json says of the config; unknown if it is damaged or from 0.1.0. */
function recordedConfig(
  found: CheckedRecord | null,
  saved: SavedConfig | null,
  config: Config,
): 'same' | 'other' | 'unknown' {
  const recorded = found?.record.configSha256
  if (recorded === undefined || found?.checksum === 'wrong') return 'unknown'
  // Another version may write the same config in other words.
  const isSaved = saved?.differences.length === 0 && sha256(saved.text) === recorded
  return isSaved || recorded === configSha256(config) ? 'same' : 'other'
}

/** Whether checkpoint or model are of this config; "ours" if eigenae wrote them for another one, or an unknown one. */
function tensorsOf(files: RunFiles, config: Config): 'same' | 'ours' | 'none' {
  const ignored: Damage[] = []
  const head = collect(ignored, checkpointName, () => readCheckpointHead(files)) ?? null
  const model = collect(ignored, 'model.safetensors', () => readModelHead(files.model, config))
  const isModel = model?.hasConfig === true
  if (head?.origin?.configSha256 === configSha256(config) || (isModel && model.mismatch === null))
    return 'same'
  return head === null && !isModel ? 'none' : 'ours'
}

/** Whether a run.json that cannot be read is what is left of one: another program's is JSON without a status. */
function isRest(file: string): boolean {
  const text = readTextIfPresent(file)
  if (text === undefined) return false
  const value = parsed(text)
  return value === undefined || (typeof value === 'object' && value !== null && 'status' in value)
}

function linesOf(differences: readonly ConfigDifference[]): readonly string[] {
  if (differences.length === 0) return ['config.json was changed: run.json names another config']
  return differences.map(({ path, left, right }) => `${path}: ${left} in the folder, ${right} now`)
}

function reasonOf({ folder }: RunFiles, damage: readonly Damage[]): string {
  return damage.map(({ file, reason }) => `${folder}/${file}: ${reason}`).join('; ')
}
