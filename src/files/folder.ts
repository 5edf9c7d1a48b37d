import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { hasCode, withFileErrors } from '../errors.js'
import { syncFolder } from './write.js'

/**
 * Creates a folder and its missing parents, and returns once they would survive a loss of power. One by one: on a file
 * system that creates none (/proc), Node's own recursive call never returns.
 */
export async function makeFolder(folder: string): Promise<void> {
  await withFileErrors('make the folder', folder, async () => {
    for (const missing of missingFolders(resolve(folder))) await makeOne(missing)
  })
}

/** Returns the parents first; the folder itself always, so that a file in its place is an error. */
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
