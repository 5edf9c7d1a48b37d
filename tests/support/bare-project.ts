import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A copy of this project in `folder`, installed without its optional packages. Returns its command line. */
export function bareProject(folder: string): string {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  for (const part of ['bin', 'dist', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules')).filter((each) => each !== '@tensorflow'))
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  return join(folder, 'bin/eigenae.js')
}
