import { existsSync, type Stats } from 'node:fs'
import { lstat, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, normalize, relative, resolve } from 'node:path'
import { type EigenaeError, hasCode, usageError, withFileErrors } from '../errors.js'
import { syncFolder } from './write.js'

/**
 * Creates a folder and its missing parents, and returns once they would survive a loss of power. They are created one by
 * one because Node's recursive mkdir never returns on a file system that cannot create folders (/proc).
 */
export async function makeFolder(folder: string): Promise<void> {
  await withFileErrors('make the folder', folder, async () => {
    for (const missing of missingFolders(resolve(folder))) await makeOne(missing)
  })
}

/** Returns the missing parents first and the folder itself last, always: a file in its place must be an error. */
function missingFolders(folder: string): readonly string[] {
  const parent = dirname(folder)
  return existsSync(parent) ? [folder] : [...missingFolders(parent), folder]
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder)
    await syncFolder(dirname(folder))
  } catch (error) {
    if (!(hasCode(error, 'EEXIST') && (await stat(folder)).isDirectory())) throw error
  }
}

type Kind = 'file' | 'folder'

/**
 * Throws a usage error if a path inside a folder of eigenae is a link, or exists and is not of its kind. This is the
 * boundary for writing: a folder that the user names may be a link (runs on another disk), but what lies inside may
 * not, as a link there could make eigenae write or delete files anywhere.
 */
export async function requireKind(kind: Kind, path: string): Promise<void> {
  const status = await statusOf(path)
  if (status === null) return
  if (status.isSymbolicLink()) throw isLink(path)
  if (kind === 'file' ? status.isFile() : status.isDirectory()) return
  throw usageError({
    problem: kind === 'file' ? 'is not a regular file' : 'is not a folder',
    subject: path,
    hint: `Remove it: eigenae writes a ${kind} there.`,
  })
}

/** Creates a folder inside one of eigenae's. @throws a usage error if it is a link. */
export async function makeInnerFolder(folder: string): Promise<void> {
  await requireKind('folder', folder)
  await makeFolder(folder)
}

/** Throws a usage error if a folder below `root`, or one on the way to it from there, is a link. */
export async function requireInnerFolders(root: string, folder: string): Promise<void> {
  if (relative(root, folder) === '') return
  await requireInnerFolders(root, dirname(folder))
  await requireKind('folder', folder)
}

/** Returns null if the path does not exist. */
async function statusOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw error
  }
}

function isLink(path: string): EigenaeError {
  return usageError({
    problem: 'is a link, and eigenae writes through no link inside its folders',
    subject: path,
    hint: 'Replace the link with the file or folder that it leads to. The run folder itself may be a link.',
  })
}

/** Returns the path of a folder that a user named, without slashes at its end. */
export function namedFolder(argument: string): string {
  return normalize(argument).replace(/(?<=.)\/+$/, '')
}

/** Returns the names in a folder; empty if it does not exist. @throws a usage error if it is a file. */
export async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    if (hasCode(error, 'ENOTDIR'))
      throw usageError({
        problem: existsSync(folder)
          ? 'is a file, not a folder'
          : 'a part of this path is a file, not a folder',
        subject: folder,
        hint: 'Name another folder with --out.',
      })
    throw error
  }
}
