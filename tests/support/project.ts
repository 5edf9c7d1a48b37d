import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Copies the command line and the given parts of the project into a folder. */
export function copyProject(folder: string, ...parts: readonly string[]): void {
  mkdirSync(folder)
  for (const part of ['bin', 'dist', 'package.json', ...parts])
    cpSync(join(root, part), join(folder, part), { recursive: true })
}
