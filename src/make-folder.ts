import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { hasCode, withFileErrors } from './errors.js'

/**
 * Makes a folder with those above it. One by one: where a file system makes none (/proc), Node's own recursive call
 * never comes back.
 */
export async function makeFolder(folder: string): Promise<void> {
  await withFileErrors('make the folder', folder, async () => {
    for (const missing of missingFolders(resolve(folder))) await makeOne(missing)
  })
}

/** The upper ones first; the folder itself always, so that a file in its place is told. */
function missingFolders(folder: string): readonly string[] {
  const parent = dirname(folder)
  return existsSync(parent) ? [folder] : [...missingFolders(parent), folder]
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (!(hasCode(error, 'EEXIST') && (await stat(folder)).isDirectory())) throw error
  }
}
