/**
 * Writes dist/commit.json for `npm pack`, because an installed package has no repository that names its commit.
 *
 * usage: stamp-commit.mjs [--remove]
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const file = join(root, 'dist', 'commit.json')

if (process.argv.includes('--remove')) rmSync(file, { force: true })
else {
  mkdirSync(join(root, 'dist'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(state())}\n`)
}

/** Returns the content that src/runs/facts.ts reads; both fields are null outside a repository. */
function state() {
  const git = (...args) =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no')
    return { commit: git('rev-parse', 'HEAD'), dirty: changes !== '' }
  } catch {
    return { commit: null, dirty: null }
  }
}
