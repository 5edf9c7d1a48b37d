import { lstatSync } from 'node:fs'
import { mkdir, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { hasCode, usageError, withFileErrors } from '../../errors.js'
import { makeFolder } from '../../files/folder.js'
import { isOurs } from '../../files/overwrite-guard.js'
import { removeLeftovers, temporaryName } from '../../files/write.js'
import { entriesOf } from '../../runs/open.js'
import type { ExportFile, ModelFormat } from './format.js'
import { readmeMark, readmeName } from './readme.js'

/**
 * Checks that an export may be put in a folder, and returns the names of the files that it replaces. Writes nothing.
 * @throws a usage error if it is not empty, or, with `overwrite`, if it holds anything but an export: a README.md of one
 * and the files of its format.
 */
export async function refuseUsedFolder(
  folder: string,
  overwrite: boolean,
  formats: readonly ModelFormat[],
): Promise<readonly string[]> {
  const entries = await entriesOf(folder)
  if (entries.length === 0) return []
  if (!overwrite) {
    throw usageError({
      problem: 'this folder exists and is not empty',
      subject: folder,
      hint: 'Replace the export in it by --overwrite, or name another folder with --out.',
    })
  }
  const readme = join(folder, readmeName)
  const format = formats.find(({ name }) => isOurs({ file: readme, mark: readmeMark(name) }) === true)
  const names = format === undefined ? [] : [readmeName, ...format.fileNames]
  const strange = entries.find((name) => !(names.includes(name) && lstatSync(join(folder, name)).isFile()))
  if (strange === undefined) return entries
  throw usageError({
    problem: `this folder holds ${strange} that is no export of eigenae; refusing to overwrite it`,
    subject: folder,
    hint: 'Name another folder with --out.',
  })
}

/**
 * Writes a folder so that it is there with all files or not at all: it is filled beside its place and then moved there.
 * @param replaced the names of the earlier files in its place; others that were added meanwhile are not removed
 */
export async function writeFolder(
  folder: string,
  files: readonly ExportFile[],
  replaced: readonly string[],
): Promise<void> {
  const place = await realpath(folder).catch(() => resolve(folder))
  const [filled, former] = [temporaryName(place), temporaryName(place)]
  await makeFolder(dirname(place))
  try {
    await withFileErrors('make the folder', folder, () => mkdir(filled))
    for (const { name, content } of files)
      await withFileErrors('write', join(folder, name), () => writeFile(join(filled, name), content))
    await withFileErrors('put in place', folder, () => exchange(filled, place, former))
  } finally {
    await rm(filled, { recursive: true, force: true })
  }
  for (const name of replaced) await rm(join(former, name), { force: true })
  await withFileErrors('remove', former, () => removeEmpty(former))
  // Last: until now an earlier export that a kill left without its place could be all there is.
  await removeLeftovers(dirname(place))
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/** Puts one folder in another's place; where that fails the earlier one is there as before. */
async function exchange(filled: string, place: string, former: string): Promise<void> {
  const moved = await rename(place, former).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'ENOENT')) return false
      throw error
    },
  )
  try {
    await rename(filled, place)
  } catch (error) {
    if (moved) await rename(former, place)
    throw error
  }
}
