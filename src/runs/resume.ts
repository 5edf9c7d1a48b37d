import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkConfig } from '../config/check.js'
import { type ConfigDifference, configDifferences } from '../config/paths.js'
import { type Config, configJson, configText } from '../config/schema.js'
import { EigenaeError, hasCode, usageError, withFileErrors } from '../errors.js'
import { entriesOf, makeFolder, requireKind } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { isOurs, pictureMark } from '../files/own-files.js'
import { parseJsonIfValid, readIfPresent, readTextIfPresent, sizeLimits } from '../files/read.js'
import { isTemporary, removeLeftovers, writeDurably } from '../files/write.js'
import { type Checkpoint, modelMismatch, readCheckpoint, readCheckpointHead } from './checkpoint.js'
import {
  checkpointName,
  logName,
  notesName,
  plotsName,
  type RunFiles,
  runFiles,
  type TableName,
  tableNames,
} from './files.js'
import { inspectRun, verifyRun } from './inspect.js'
import {
  changed,
  collect,
  configSha256,
  type Damage,
  type FileSum,
  prefixMismatch,
  sha256,
} from './integrity.js'
import { notesMark } from './notes.js'
import { changedRecord, configSums, factsIn, type RunRecord, readRecord, writeRecord } from './record.js'
import { tableColumns } from './tables.js'

// The folder that `train` is given, in the order of events: what it holds (inspectRunFolder, recognise), the claim of the
// folder, and the place at which the run resumes (planResume). Device and data must be those of the first part, too, which
// training/prepare.ts checks before the claim.

/** How `train` may use a folder that is not empty. */
export type FolderUse = 'new' | 'resume' | 'overwrite'

/** The run that a folder holds, if it is that of the config or, "shorter", that of the config with fewer epochs. */
export type FoundRun = Extract<Recognition, { readonly damage: readonly Damage[] }>

/**
 * Returns the run of this config that is to be resumed in a folder, null to start one; writes nothing. Every byte of a
 * completed run is checked before it counts as done, and the cheap parts of any other run.
 * @throws a usage error if `use` does not allow what the folder holds.
 */
export async function inspectRunFolder(
  folder: string,
  config: Config,
  use: FolderUse,
): Promise<FoundRun | null> {
  const files = runFiles(folder)
  const entries = await entriesOf(folder)
  if (entries.length === 0) return null
  if (use === 'new') {
    throw usageError({
      problem: 'this folder exists and is not empty',
      subject: folder,
      hint: 'Resume the run in it with --resume, replace it with --overwrite, or name another folder with --out.',
    })
  }
  if (entries.every(isLeftover)) return null
  const isConfigAlone = entries.every(
    (entry) => ['config.json', plotsName, notesName].includes(entry) || isLeftover(entry),
  )
  const found = recognise(files, config, isConfigAlone)
  if (found.kind === 'none')
    throw usageError({
      problem: 'not an eigenae run; refusing to overwrite it',
      subject: folder,
      details: [found.reason],
      hint: 'Name another folder with --out.',
    })
  if (use === 'overwrite') return null
  if (found.kind === 'other')
    throw usageError({
      problem: 'the run in this folder has another config, so it cannot be resumed with this one',
      subject: files.config,
      details: found.differences,
      hint: 'Resume with the same config or with more epochs, or start again with --overwrite or in another folder with --out.',
    })
  if (found.record === null || found.damage.length > 0) return found
  const { damage } = found.record.status === 'completed' ? verifyRun(files) : inspectRun(files, 'heads')
  return { ...found, damage }
}

/**
 * Returns whether a file may have been left by a process that was killed before it wrote a run: a lock, a temporary
 * file, a log.
 */
export function isLeftover(entry: string): boolean {
  return entry.startsWith('.lock') || isTemporary(entry) || entry === logName
}

/** The contents of a folder, compared with the config of a run that is to be trained in it. */
type Recognition =
  /** Nothing that can be identified as a run. */
  | { readonly kind: 'none'; readonly reason: string }
  /** A run of another config. `differences` has one line for each differing field. */
  | { readonly kind: 'other'; readonly differences: readonly string[] }
  /** A run of this config. `record` is null if run.json is missing or damaged. */
  | { readonly kind: 'same'; readonly record: RunRecord | null; readonly damage: readonly Damage[] }
  /** A run of this config with fewer epochs. */
  | { readonly kind: 'shorter'; readonly record: RunRecord; readonly damage: readonly Damage[] }

/**
 * Identifies the run in a folder, even if some of its files are damaged: run.json, config.json, checkpoint and model
 * each name their config. Reads only headers and small files; writes nothing.
 * @param isConfigAlone whether the folder holds config.json and no other file of a run, because the run was killed before
 * it wrote run.json
 */
export function recognise(files: RunFiles, config: Config, isConfigAlone = false): Recognition {
  const damage: Damage[] = []
  const found = isConfigAlone ? null : (collect(damage, 'run.json', () => readRecord(files.record)) ?? null)
  if (found?.isChanged) damage.push(changedRecord)
  const saved = collect(damage, 'config.json', () => savedConfig(files.config, config))
  if (isConfigAlone && saved?.isCanonical === false)
    return { kind: 'none', reason: `${files.config}: is not the config of a run` }
  const isSaved = saved?.differences.length === 0
  if (saved !== undefined && !isSaved) damage.push({ file: 'config.json', reason: changed })
  // Another version may format the same config differently.
  const sums = [configSha256(config), ...(isSaved ? [sha256(saved.text)] : [])]
  const isIntact = found !== null && !found.isChanged
  if (isIntact && sums.includes(found.record.configSha256))
    return { kind: 'same', record: found.record, damage }
  const tensors = tensorsOf(files, config)
  const isWritten = saved?.isCanonical === true && (isConfigAlone || isDamagedRecord(files.record))
  if (found === null && tensors === 'none' && !isWritten)
    return { kind: 'none', reason: reasonText(files, damage) }
  // An intact run.json is wrong only if all other files contradict it.
  if (isIntact ? isSaved && tensors === 'same' : isSaved || tensors === 'same') {
    if (isIntact) damage.push({ file: 'run.json', reason: 'belongs to another run' })
    return { kind: 'same', record: null, damage }
  }
  if (found !== null && found.record.epochs < config.train.epochs) {
    const shorter = recognise(files, withEpochs(config, found.record.epochs))
    if (shorter.kind === 'same' && shorter.record !== null)
      return { kind: 'shorter', record: shorter.record, damage: shorter.damage }
  }
  return { kind: 'other', differences: differenceLines(saved?.differences ?? []) }
}

interface SavedConfig {
  readonly text: string
  /** From the config of the run that is to be trained. */
  readonly differences: readonly ConfigDifference[]
  /** Whether it has every field and is formatted as runs write it. If not, it is a file of the user. */
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

/**
 * Returns whether checkpoint or model belong to this config; "ours" if eigenae wrote them for another or an unknown
 * config.
 */
function tensorsOf(files: RunFiles, config: Config): 'same' | 'ours' | 'none' {
  const head = collect([], checkpointName, () => readCheckpointHead(files)) ?? null
  const mismatch = collect([], 'model.safetensors', () => modelMismatch(files.model, config))
  if (head?.origin.configSha256 === configSha256(config) || mismatch === null) return 'same'
  return head === null && mismatch === undefined ? 'none' : 'ours'
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

// A run of 10 epochs is the beginning of a run of 20: no field of a config but train.epochs depends on the number of
// epochs, because schedules have a length of their own. To lengthen a run, its run.json is replaced first. It then is an
// interrupted run of the longer config, and names the shorter config, to which its checkpoint still belongs.

/** Returns the run.json of a run that is to have the config's epochs. */
export function lengthenedRecord(record: RunRecord, config: Config): RunRecord {
  const { epochs, configSha256: shorterSha256, shorterConfigs = [] } = record
  return {
    status: 'interrupted',
    ended: record.status === 'running' ? new Date().toISOString() : record.ended,
    ...factsIn(record),
    epochs: config.train.epochs,
    configSha256: configSha256(config),
    shorterConfigs: [...shorterConfigs, { epochs, configSha256: shorterSha256 }],
  }
}

export function withEpochs(config: Config, epochs: number): Config {
  return { ...config, train: { ...config.train, epochs } }
}

/**
 * Locks the folder for this process and writes `config.json`. With "overwrite", an earlier run is removed first.
 * @param lengthened run.json of a run that is to be lengthened; it is written before config.json
 */
export async function claimRunFolder(
  folder: string,
  config: Config,
  use: FolderUse,
  lengthened: RunRecord | null = null,
): Promise<RunFiles> {
  const files = runFiles(folder)
  await refuseLinks(files)
  await makeFolder(folder)
  await acquireLock(files.lock)
  try {
    for (const written of [folder, files.checkpointFolder]) await removeLeftovers(written)
    if (use === 'overwrite') await removeRun(files)
    if (lengthened !== null) await writeRecord(files.record, lengthened)
    const text = configText(config)
    if (readTextIfPresent(files.config) !== text) await writeDurably(files.config, text)
    if (lengthened !== null) await removeFiles([files.model, files.evaluation])
  } catch (error) {
    await releaseLock(files.lock)
    throw error
  }
  return files
}

async function refuseLinks({ folder, checkpointFolder, ...inside }: RunFiles): Promise<void> {
  const folders = [checkpointFolder, join(folder, plotsName)]
  await Promise.all(folders.map((inner) => requireKind('folder', inner)))
  await Promise.all(Object.values(inside).map((file) => requireKind('file', file)))
}

/** Removes the files of a run and keeps all others. run.json is removed last: until then the folder counts as a run. */
async function removeRun(files: RunFiles): Promise<void> {
  const { folder, record, evaluation, checkpoint, checkpointFolder, model, notes } = files
  const plots = join(folder, plotsName)
  const entries = await readdir(plots, { withFileTypes: true }).catch(() => [])
  const pictures = entries
    .filter((entry) => entry.isFile() && /\.(svg|png)$/.test(entry.name))
    .map(({ name }) => join(plots, name))
    .filter((file) => isOurs({ file, mark: pictureMark(file) }))
  await removeFiles([...pictures, checkpoint])
  // A folder that holds files of the user stays.
  await withFileErrors('remove', checkpointFolder, () =>
    rmdir(checkpointFolder).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error
    }),
  )
  const ownNotes = isOurs({ file: notes, mark: notesMark }) ? [notes] : []
  const tables = tableNames.map((name) => join(folder, name))
  await removeFiles([evaluation, model, ...tables, ...ownNotes, record])
}

async function removeFiles(files: readonly string[]): Promise<void> {
  for (const file of files) await withFileErrors('remove', file, () => rm(file, { force: true }))
}

/** The device and the data that a resumed run must keep. */
export interface EarlierRun {
  readonly device: string
  readonly dataSha256: Readonly<Record<string, string>>
  /** Null if run.json is damaged. */
  readonly record: RunRecord | null
}

/** Returns the device and data in run.json, or else in the checkpoint; null if neither can be read. */
export function earlierRun(files: RunFiles, record: RunRecord | null): EarlierRun | null {
  const facts = record ?? collect([], checkpointName, () => readCheckpointHead(files))?.origin
  return facts === undefined ? null : { device: facts.device, dataSha256: facts.dataSha256, record }
}

/** Where a run resumes: its checkpoint, and the length in bytes of each table up to the checkpoint's epoch. */
export interface ResumePoint {
  readonly checkpoint: Checkpoint
  readonly tableBytes: Readonly<Record<TableName, number>>
}

interface ResumePlan {
  /** Null to start from the beginning. */
  readonly point: ResumePoint | null
  /** Why an existing checkpoint cannot be used. */
  readonly damage: readonly Damage[]
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
  const { configSha256: sum, device, dataSha256, tables } = checkpoint.origin
  const sums = [configSha256(config), ...(earlier?.record ? configSums(earlier.record) : [])]
  const hasSameData = Object.entries(dataSha256).every(([key, each]) => earlier?.dataSha256[key] === each)
  if (!sums.includes(sum) || device !== earlier?.device || !hasSameData)
    return { point: null, damage: [{ file: checkpointName, reason: 'belongs to another run' }] }
  for (const name of tableNames) {
    const reason = tableDamage(join(files.folder, name), name, tables[name])
    if (reason !== null) damage.push({ file: name, reason })
  }
  if (damage.length > 0) return { point: null, damage }
  const tableBytes = Object.fromEntries(tableNames.map((name) => [name, tables[name]!.bytes]))
  return { point: { checkpoint, tableBytes: tableBytes as ResumePoint['tableBytes'] }, damage }
}

/**
 * Returns why a table does not begin with the rows up to a checkpoint, null if it does.
 * @throws EigenaeError if it does not have the columns of this version.
 */
function tableDamage(file: string, name: TableName, sum: FileSum | undefined): string | null {
  const content = readIfPresent(file, sizeLimits.table)
  const reason = sum === undefined ? null : prefixMismatch(content, sum)
  if (reason !== null) return reason
  const header = `${tableColumns[name].join(',')}\n`
  if (sum !== undefined && content!.toString('latin1', 0, header.length) === header) return null
  throw new EigenaeError({
    problem: 'its columns are not those of this version of eigenae',
    subject: file,
    hint: 'Resume with the version that started the run, or start over with --overwrite.',
  })
}

/** Removes the files that a run writes at its end, and the checkpoint if it starts over, so that no old file remains. */
export async function removeResults(files: RunFiles, point: ResumePoint | null): Promise<void> {
  const { model, evaluation, checkpoint } = files
  await removeFiles([model, evaluation, ...(point === null ? [checkpoint] : [])])
}
