import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A copy of the project in `folder`, with these of its parts beside the command line. */
export function copyProject(folder: string, ...parts: readonly string[]): void {
  mkdirSync(folder)
  for (const part of ['bin', 'dist', 'package.json', ...parts])
    cpSync(join(root, part), join(folder, part), { recursive: true })
}
