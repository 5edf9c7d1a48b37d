import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const program = pathToFileURL(join(import.meta.dirname, 'record-syncs.mjs'))

export interface SyncRecord {
  /** The environment of the command whose files are followed. */
  readonly env: Readonly<Record<string, string>>
  /** Returns the files at or below a path that the ended command did not write, or that a loss of power would damage. */
  readonly lost: (path: string) => readonly string[]
}

/** @param file where the record is kept */
export function recordSyncs(file: string): SyncRecord {
  return {
    env: { NODE_OPTIONS: `--import=${program}`, EIGENAE_TEST_SYNCED: file },
    lost: (path) => {
      const synced: readonly string[] = JSON.parse(readFileSync(file, 'utf8'))
      return filesIn(path).filter((each) => !synced.includes(each))
    },
  }
}

function filesIn(path: string): readonly string[] {
  if (!lstatSync(path).isDirectory()) return [path]
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)))
}
