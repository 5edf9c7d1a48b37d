import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.js'
import { type EigenaeError, hasCode, usageError, withFileErrors } from '../errors.js'
import { makeFolder, requireKind } from '../files/folder.js'
import { jsonText } from '../files/json.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { isOurs, pictureMark } from '../files/overwrite-guard.js'
import { isTemporary, removeLeftovers, writeDurably } from '../files/write.js'
import { logName, plotsName, type RunFiles, runFiles } from './files.js'
import type { Damage } from './integrity.js'
import { recognise, recogniseBegun } from './recognise.js'
import type { RunRecord } from './record.js'

/** What to do with a folder that is not empty. */
export type FolderUse = 'new' | 'resume' | 'overwrite'

/** What lies in the folder of a run to come. */
export type FolderContent =
  | { readonly kind: 'nothing' }
  /** `record` is null if the run was killed before it wrote one, or if it is damaged. */
  | { readonly kind: 'run'; readonly record: RunRecord | null; readonly damage: readonly Damage[] }

/**
 * Returns what a run of this config finds in a folder; writes nothing.
 * @throws a usage error if the folder holds something that `use` does not allow.
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
      hint: 'Go on with the run in it by --resume, replace it by --overwrite, or name another folder with --out.',
    })
  }
  if (entries.every(isTrace)) return { kind: 'nothing' }
  const begun = entries.every((entry) => entry === 'config.json' || entry === plotsName || isTrace(entry))
  const found = begun ? recogniseBegun(files, config) : recognise(files, config)
  if (found.kind === 'none') throw notARun(files, found.reason)
  if (use === 'overwrite') return { kind: 'run', record: null, damage: [] }
  if (found.kind === 'other') throw otherConfig(files, found.differences)
  return { kind: 'run', record: found.record, damage: found.damage }
}

/** Makes the folder this process's own and leaves `config.json` in it; an earlier run goes if it is overwritten. */
export async function claimRunFolder(folder: string, config: Config, use: FolderUse): Promise<RunFiles> {
  const files = runFiles(folder)
  await refuseLinks(files)
  await makeFolder(folder)
  await acquireLock(files.lock)
  try {
    for (const written of [folder, files.checkpointFolder]) await removeLeftovers(written)
    if (use === 'overwrite') await removeRun(files)
    await writeDurably(files.config, jsonText(config))
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

/** What a process killed before it wrote anything leaves behind: its lock, a half-written file, its log. */
export function isTrace(entry: string): boolean {
  return entry.startsWith('.lock') || isTemporary(entry) || entry === logName
}

/** Names in a folder; none where it does not exist. */
export async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    if (hasCode(error, 'ENOTDIR'))
      throw usageError({ problem: 'is a file, or lies under one, not a folder', subject: folder })
    throw error
  }
}

function notARun({ folder }: RunFiles, reason: string): EigenaeError {
  return usageError({
    problem: 'this folder holds no eigenae run, so it is left as it is',
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
    hint: 'Resume with the same config, or start again with --overwrite or in another folder with --out.',
  })
}

/** Only the files of a run: what else lies in the folder is not ours. run.json goes last: until then a run is there. */
async function removeRun(files: RunFiles): Promise<void> {
  const { record, metrics, spectrum, timings, evaluation, checkpoint, checkpointFolder, model } = files
  await removePictures(join(files.folder, plotsName))
  await withFileErrors('remove', checkpoint, () => rm(checkpoint, { force: true }))
  await withFileErrors('remove', checkpointFolder, () => removeIfEmpty(checkpointFolder))
  for (const path of [evaluation, model, metrics, spectrum, timings, record]) {
    await withFileErrors('remove', path, () => rm(path, { force: true }))
  }
}

/** A folder with files of the user's stays. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error
  }
}

/** They would show the run that was there before. */
async function removePictures(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((each) => each.isFile() && /\.(svg|png)$/.test(each.name))) {
    const file = join(folder, entry.name)
    if (isOurs({ file, mark: pictureMark(file) })) await withFileErrors('remove', file, () => rm(file))
  }
}
