import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A copy of the project in `folder`, with these of its parts beside the command line. */
export function copyProject(folder: string, ...parts: readonly string[]): void {
  mkdirSync(folder)
  for (const part of ['bin', 'dist', 'package.json', ...parts])
    cpSync(join(root, part), join(folder, part), { recursive: true })
}

/** One that is installed without its optional packages. Returns its command line. */
export function bareProject(folder: string): string {
  copyProject(folder)
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules')).filter((each) => each !== '@tensorflow'))
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  return join(folder, 'bin/eigenae.js')
}
