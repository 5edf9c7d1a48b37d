import { existsSync, lstatSync } from 'node:fs'
import { mkdir, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type EigenaeError, fileError, hasCode, usageError, withFileErrors } from '../../errors.js'
import { entriesOf, makeFolder } from '../../files/folder.js'
import { isOurs } from '../../files/own-files.js'
import { createFile, removeLeftoversOf, syncFolder, temporaryName } from '../../files/write.js'
import type { ExportFile, FolderFormat } from './format.js'
import { readmeMark, readmeName } from './index.js'

/**
 * Checks that an export may be written to a folder, and returns the names of the files that it replaces. Writes nothing.
 * @throws a usage error if it is the working folder, if it is not empty or, with `overwrite`, if it holds anything other than the README.md of an
 * export and the files of its format.
 */
export async function refuseUsedFolder(
  folder: string,
  overwrite: boolean,
  formats: readonly FolderFormat[],
): Promise<readonly string[]> {
  const entries = await entriesOf(folder)
  // The folder is replaced as a whole, so a shell in it would stand in a removed one.
  if ((await targetOf(folder)) === process.cwd()) {
    throw usageError({
      problem: 'is the working folder, which an export cannot replace',
      subject: folder,
      hint: 'Name another folder with --out, for example one inside it.',
    })
  }
  if (entries.length === 0) return []
  if (!overwrite) {
    throw usageError({
      problem: 'this folder exists and is not empty',
      subject: folder,
      hint: 'Replace the export in it with --overwrite, or name another folder with --out.',
    })
  }
  const file = join(folder, readmeName)
  const format = formats.find(({ name }) => isOurs({ file, mark: readmeMark(name) }) === true)
  const names = format === undefined ? [] : [readmeName, ...format.fileNames]
  const foreign = entries.find((name) => !(names.includes(name) && lstatSync(join(folder, name)).isFile()))
  if (foreign === undefined) return entries
  throw usageError({
    problem: `holds ${foreign}, which is not part of an eigenae export; refusing to overwrite it`,
    subject: folder,
    hint: 'Name another folder with --out.',
  })
}

/**
 * Writes a folder, and returns once it would survive a loss of power. A folder beside it is filled, synced and renamed
 * into its place. An earlier folder is renamed out of the way just before and removed last: after a loss of power between
 * the two renames it is beside its place, complete, until the next export to that place.
 * @param replaced the names of the earlier files in the folder; files added in the meantime are not removed
 */
export async function writeFolder(
  folder: string,
  files: readonly ExportFile[],
  replaced: readonly string[],
): Promise<void> {
  const target = await targetOf(folder)
  const [filled, former] = [temporaryName(target), temporaryName(target)]
  const parent = dirname(target)
  await makeFolder(parent)
  try {
    await mkdir(filled).catch((error: unknown) => {
      if (existsSync(target) && hasCode(error, 'EACCES', 'EPERM', 'EROFS'))
        throw irreplaceable(folder, `${parent} is not writable`)
      throw fileError('make a folder in it', parent, error)
    })
    for (const { name, content } of files)
      await withFileErrors('write', join(folder, name), () => createFile(join(filled, name), content))
    await syncFolder(filled)
    await withFileErrors('put in place', folder, () => replaceFolder(filled, target, former))
  } finally {
    await rm(filled, { recursive: true, force: true })
  }
  await syncFolder(parent)
  for (const name of replaced) await rm(join(former, name), { force: true })
  if (existsSync(former)) await withFileErrors('remove', former, () => rmdir(former))
  // The export is in place, and a leftover does no harm.
  await removeLeftoversOf(target).catch(() => undefined)
}

function targetOf(folder: string): Promise<string> {
  return realpath(folder).catch(() => resolve(folder))
}

function irreplaceable(folder: string, reason: string): EigenaeError {
  return usageError({
    problem: `cannot be replaced: ${reason}`,
    subject: folder,
    hint: 'Name a folder inside it with --out.',
  })
}

/** Replaces a folder by another one. On failure the earlier folder stays at its path. */
async function replaceFolder(filled: string, target: string, former: string): Promise<void> {
  const moved = await rename(target, former).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'ENOENT')) return false
      if (hasCode(error, 'EBUSY', 'EXDEV'))
        throw irreplaceable(target, 'it is a mount point, or its parent is on another file system')
      throw error
    },
  )
  try {
    await rename(filled, target)
  } catch (error) {
    if (moved) await rename(former, target)
    throw error
  }
}
