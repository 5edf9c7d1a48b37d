import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.js'
import { configText } from '../config/text.js'
import { type EigenaeError, hasCode, usageError, withFileErrors } from '../errors.js'
import { entriesOf, makeFolder, requireKind } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { beginsWith, isOurs, pictureMark, refuseForeignFiles } from '../files/own-files.js'
import { isTemporary, removeLeftovers, writeDurably } from '../files/write.js'
import { readCheckpointHead } from './checkpoint.js'
import {
  checkpointName,
  logName,
  notesName,
  plotsName,
  type RunFiles,
  runFiles,
  tableNames,
} from './files.js'
import { collect, type Damage } from './integrity.js'
import { recogniseShorter } from './lengthen.js'
import { notesMark } from './notes.js'
import { recognise, recogniseConfigAlone } from './recognise.js'
import { type RunRecord, readRecord, replaceRecord } from './record.js'
import { tableColumns } from './tables.js'

/** How `train` may use a folder that is not empty. */
export type FolderUse = 'new' | 'resume' | 'overwrite'

/** A run in the folder. With 'overwrite' it may have any config, and its record and damage are not read. */
export interface FoundRun {
  /** Null if the run was killed before it wrote run.json, or if run.json is damaged. */
  readonly record: RunRecord | null
  readonly damage: readonly Damage[]
  /** Whether it is the run of the config with fewer epochs, so that it has to be lengthened. */
  readonly shorter: boolean
}

/** The contents of a folder before a run is trained in it. */
type FolderContent = { readonly kind: 'nothing' } | ({ readonly kind: 'run' } & FoundRun)

/**
 * Returns what the folder for a run of this config holds; writes nothing.
 * @throws a usage error if `use` does not allow it.
 */
export async function inspectRunFolder(
  folder: string,
  config: Config,
  use: FolderUse,
): Promise<FolderContent> {
  const files = runFiles(folder)
  const entries = await entriesOf(folder)
  if (entries.length === 0) return { kind: 'nothing' }
  if (use === 'new') {
    throw usageError({
      problem: 'this folder exists and is not empty',
      subject: folder,
      hint: 'Resume the run in it with --resume, replace it with --overwrite, or name another folder with --out.',
    })
  }
  if (entries.every(isLeftover)) return { kind: 'nothing' }
  const configAlone = entries.every(
    (entry) => ['config.json', plotsName, notesName].includes(entry) || isLeftover(entry),
  )
  const found = configAlone ? recogniseConfigAlone(files, config) : recognise(files, config)
  if (found.kind === 'none') throw notARun(files, found.reason)
  if (use === 'overwrite') return { kind: 'run', record: null, damage: [], shorter: false }
  if (found.kind === 'same') return { ...found, kind: 'run', shorter: false }
  const shorter = recogniseShorter(files, config)
  if (shorter === null) throw otherConfig(files, found.differences)
  return { ...shorter, kind: 'run', shorter: true }
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
  refuseForeignTables(files)
  await makeFolder(folder)
  await acquireLock(files.lock)
  try {
    for (const written of [folder, files.checkpointFolder]) await removeLeftovers(written)
    if (use === 'overwrite') await removeRun(files)
    if (lengthened !== null) await replaceRecord(files.record, lengthened)
    await writeDurably(files.config, configText(config))
    // Those of the shorter run.
    const results = lengthened === null ? [] : [files.model, files.evaluation]
    for (const file of results) await withFileErrors('remove', file, () => rm(file, { force: true }))
  } catch (error) {
    await releaseLock(files.lock)
    throw error
  }
  return files
}

async function refuseLinks({ folder, checkpointFolder, ...inside }: RunFiles): Promise<void> {
  for (const inner of [checkpointFolder, join(folder, plotsName)]) await requireKind('folder', inner)
  for (const file of Object.values(inside)) await requireKind('file', file)
}

/**
 * Throws a usage error if the folder holds a file of the user with the name of a table that runs of earlier versions lack.
 * A table that run.json or the checkpoint lists is the run's own, even if its header is damaged.
 */
function refuseForeignTables(files: RunFiles): void {
  const record = collect([], 'run.json', () => readRecord(files.record))?.record
  const checkpoint = collect([], checkpointName, () => readCheckpointHead(files))
  const own = { ...(record?.status === 'completed' && record.files), ...checkpoint?.origin?.tables }
  const outputs = (['layers.csv', 'losses.csv'] as const)
    .filter((name) => !(name in own))
    .map((name) => ({ file: join(files.folder, name), mark: beginsWith(`${tableColumns[name].join()}\n`) }))
  refuseForeignFiles(outputs, 'Move it elsewhere, or name another folder with --out.')
}

/**
 * Returns whether a file may have been left by a process that was killed before it wrote a run: a lock, a temporary
 * file, a log.
 */
export function isLeftover(entry: string): boolean {
  return entry.startsWith('.lock') || isTemporary(entry) || entry === logName
}

function notARun({ folder }: RunFiles, reason: string): EigenaeError {
  return usageError({
    problem: 'not an eigenae run; refusing to overwrite it',
    subject: folder,
    details: [reason],
    hint: 'Name another folder with --out.',
  })
}

function otherConfig({ config }: RunFiles, differences: readonly string[]): EigenaeError {
  return usageError({
    problem: 'the run in this folder has another config, so it cannot be resumed with this one',
    subject: config,
    details: differences,
    hint: 'Resume with the same config or with more epochs, or start again with --overwrite or in another folder with --out.',
  })
}

/** Removes the files of a run and keeps all others. run.json is removed last: until then the folder counts as a run. */
async function removeRun(files: RunFiles): Promise<void> {
  const { record, evaluation, checkpoint, checkpointFolder, model, notes } = files
  const ownNotes = isOurs({ file: notes, mark: notesMark }) ? [notes] : []
  const tables = tableNames.map((name) => join(files.folder, name))
  await removePictures(join(files.folder, plotsName))
  await withFileErrors('remove', checkpoint, () => rm(checkpoint, { force: true }))
  await withFileErrors('remove', checkpointFolder, () => removeIfEmpty(checkpointFolder))
  for (const path of [evaluation, model, ...tables, ...ownNotes, record]) {
    await withFileErrors('remove', path, () => rm(path, { force: true }))
  }
}

/** Keeps a folder that holds files of the user. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error
  }
}

/** Removes the pictures of the earlier run. */
async function removePictures(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((each) => each.isFile() && /\.(svg|png)$/.test(each.name))) {
    const file = join(folder, entry.name)
    if (isOurs({ file, mark: pictureMark(file) })) await withFileErrors('remove', file, () => rm(file))
  }
}
