import { randomUUID } from 'node:crypto'
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { hasCode, usageError, withFileErrors } from '../../errors.js'
import { makeFolder } from '../../files/folder.js'
import { entriesOf } from '../../runs/open.js'
import type { ExportFile } from './format.js'
import { readmeMark } from './readme.js'

/**
 * Looks whether an export may be put in a folder; writes nothing.
 * @throws a usage error where it is not empty, and with `overwrite` where it holds anything but an export.
 */
export async function refuseUsedFolder(
  folder: string,
  overwrite: boolean,
  ours: readonly string[],
): Promise<void> {
  const entries = await entriesOf(folder)
  if (entries.length === 0) return
  if (!overwrite) {
    throw usageError({
      what: 'this folder exists and is not empty',
      where: folder,
      hint: 'Replace the export in it by --overwrite, or name another folder with --out.',
    })
  }
  const strange = entries.find((entry) => !ours.includes(entry))
  if (strange === undefined && (await isExport(folder))) return
  throw usageError({
    what: `this folder holds ${strange ?? 'something'} that is no export of eigenae, so it is left as it is`,
    where: folder,
    hint: 'Name another folder with --out.',
  })
}

async function isExport(folder: string): Promise<boolean> {
  const readme = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '')
  return readme.startsWith(readmeMark)
}

/** The folder is there with all files or not at all: it is filled beside its place and then moved there. */
export async function writeFolder(folder: string, files: readonly ExportFile[]): Promise<void> {
  const place = await realpath(folder).catch(() => resolve(folder))
  const beside = (kind: string) => join(dirname(place), `.${basename(place)}.${randomUUID()}.${kind}`)
  const [filled, former] = [beside('tmp'), beside('old')]
  await makeFolder(dirname(place))
  try {
    await withFileErrors('make the folder', folder, () => mkdir(filled))
    for (const { name, content } of files)
      await withFileErrors('write', join(folder, name), () => writeFile(join(filled, name), content))
    await withFileErrors('put in place', folder, () => exchange(filled, place, former))
  } finally {
    await rm(filled, { recursive: true, force: true })
    await rm(former, { recursive: true, force: true })
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
