import { checkConfig } from '../config/check.js'
import { type ConfigDifference, configDifferences } from '../config/difference.js'
import type { Config } from '../config/schema.js'
import { configJson, configText } from '../config/text.js'
import { EigenaeError } from '../errors.js'
import { parseJsonIfValid } from '../files/json.js'
import { readTextIfPresent } from '../files/read.js'
import { readCheckpointHead } from './checkpoint.js'
import { checkpointName, type RunFiles } from './files.js'
import { changed, collect, configSha256, type Damage, sha256 } from './integrity.js'
import { readModelHead } from './model-file.js'
import { type CheckedRecord, changedRecord, type RunRecord, readRecord } from './record.js'

/** The contents of a folder, compared with the config of a run that is to be trained in it. */
export type Recognition =
  /** Nothing that can be identified as a run. */
  | { readonly kind: 'none'; readonly reason: string }
  /** A run of another config. `differences` has one line for each differing field. */
  | { readonly kind: 'other'; readonly differences: readonly string[] }
  /** A run of this config. `record` is null if run.json is missing or damaged. */
  | { readonly kind: 'same'; readonly record: RunRecord | null; readonly damage: readonly Damage[] }

/**
 * Identifies the run in a folder, even if some of its files are damaged: run.json, config.json, checkpoint and model
 * each name their config. Reads only headers and small files; writes nothing.
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
    damage.push({ file: 'run.json', reason: 'belongs to another run' })
    return same(null)
  }
  const isRun = found !== null || tensors !== 'none'
  if (recorded === 'unknown') {
    const isOwn = isRun || (saved?.isCanonical === true && isDamagedRecord(files.record))
    if ((isSaved && isOwn) || tensors === 'same')
      return same(found?.checksum === 'wrong' ? null : (found?.record ?? null))
  }
  if (!isRun) return { kind: 'none', reason: reasonText(files, damage) }
  return { kind: 'other', differences: differenceLines(saved?.differences ?? []) }
}

/** Identifies a run that was killed before it wrote run.json and left only its config.json. */
export function recogniseConfigAlone(files: RunFiles, config: Config): Recognition {
  const damage: Damage[] = []
  const saved = collect(damage, 'config.json', () => savedConfig(files.config, config))
  if (saved === undefined) return { kind: 'none', reason: reasonText(files, damage) }
  // A config that does not have every field, formatted as runs write it, is the user's own file.
  if (!saved.isCanonical) return { kind: 'none', reason: `${files.config}: is not the config of a run` }
  if (saved.differences.length > 0) return { kind: 'other', differences: differenceLines(saved.differences) }
  return { kind: 'same', record: null, damage: [] }
}

interface SavedConfig {
  readonly text: string
  /** From the config of the run that is to be trained. */
  readonly differences: readonly ConfigDifference[]
  /** Whether it has every field and is formatted as runs write it. */
  readonly isCanonical: boolean
}

function savedConfig(file: string, config: Config): SavedConfig {
  const text = readTextIfPresent(file)
  if (text === undefined) throw new EigenaeError({ problem: 'is missing', subject: file })
  const value = parseJsonIfValid(text)
  if (value === undefined) throw new EigenaeError({ problem: 'is not valid JSON', subject: file })
  const checked = checkConfig(value)
  const isCanonical = checked.kind === 'config' && text === configText(checked.config)
  return { text, differences: configDifferences(value, configJson(config)), isCanonical }
}

/** Compares run.json's config with the given one; "unknown" if run.json is damaged or from version 0.1.0. */
function recordedConfig(
  found: CheckedRecord | null,
  saved: SavedConfig | null,
  config: Config,
): 'same' | 'other' | 'unknown' {
  const recorded = found?.record.configSha256
  if (recorded === undefined || found?.checksum === 'wrong') return 'unknown'
  // Another version may format the same config differently.
  const isSaved = saved?.differences.length === 0 && sha256(saved.text) === recorded
  return isSaved || recorded === configSha256(config) ? 'same' : 'other'
}

/**
 * Returns whether checkpoint or model belong to this config; "ours" if eigenae wrote them for another or an unknown
 * config.
 */
function tensorsOf(files: RunFiles, config: Config): 'same' | 'ours' | 'none' {
  const ignored: Damage[] = []
  const head = collect(ignored, checkpointName, () => readCheckpointHead(files)) ?? null
  const model = collect(ignored, 'model.safetensors', () => readModelHead(files.model, config))
  const isModel = model?.hasConfig === true
  if (head?.origin?.configSha256 === configSha256(config) || (isModel && model.mismatch === null))
    return 'same'
  return head === null && !isModel ? 'none' : 'ours'
}

/**
 * Returns whether an unreadable run.json may be a damaged one of eigenae. A run.json of another program is valid JSON
 * without a status.
 */
function isDamagedRecord(file: string): boolean {
  const text = readTextIfPresent(file)
  if (text === undefined) return false
  const value = parseJsonIfValid(text)
  return value === undefined || (typeof value === 'object' && value !== null && 'status' in value)
}

function differenceLines(differences: readonly ConfigDifference[]): readonly string[] {
  if (differences.length === 0) return ['config.json was changed: run.json names another config']
  return differences.map(({ path, left, right }) => `${path}: ${left} in the folder, ${right} now`)
}

function reasonText({ folder }: RunFiles, damage: readonly Damage[]): string {
  return damage.map(({ file, reason }) => `${folder}/${file}: ${reason}`).join('; ')
}
