import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { readTextIfPresent } from '../files/read.js'

// A repository's configuration names programs that git runs even for its status: filters, hooks, monitors. So git never
// reads the configuration of a repository that another person may have made. It gets a view: a temporary git folder with
// the repository's HEAD and branches, and no configuration.

/**
 * A commit, and whether the contents of tracked files differ from it; null outside a repository, or if git is missing, too
 * slow, or needs the repository's configuration to read it.
 */
export interface RepositoryState {
  readonly commit: string | null
  readonly dirty: boolean | null
}

const unknown: RepositoryState = { commit: null, dirty: null }

/** Returns the state of the repository that holds a folder. Runs no program that the repository names. */
export async function repositoryState(folder: string): Promise<RepositoryState> {
  const top = topOf(resolve(folder))
  if (top === null) return unknown
  let view: string | undefined
  try {
    view = await mkdtemp(join(tmpdir(), 'eigenae-git-'))
    const git = await openView(view, top)
    const [commit, changes] = await Promise.all([
      git('rev-parse', 'HEAD'),
      // git would run in submodules with their configuration to see whether their files differ.
      git('status', '--porcelain', '--untracked-files=no', '--no-renames', '--ignore-submodules=dirty'),
    ])
    return { commit, dirty: commit === null || changes === null ? null : changes !== '' }
  } catch {
    return unknown
  } finally {
    if (view !== undefined) await rm(view, { recursive: true, force: true }).catch(() => undefined)
  }
}

/** Returns whether a folder is the top of a repository, and not a folder inside one. */
export function isRepository(folder: string): boolean {
  return existsSync(join(folder, '.git'))
}

function topOf(folder: string): string | null {
  if (isRepository(folder)) return folder
  const parent = dirname(folder)
  const ceilings = process.env.GIT_CEILING_DIRECTORIES?.split(delimiter) ?? []
  return parent === folder || ceilings.includes(parent) ? null : topOf(parent)
}

/** Runs git; returns null if it fails or takes too long. */
type Git = (...args: readonly string[]) => Promise<string | null>

const slowestMilliseconds = 3000

async function openView(view: string, top: string): Promise<Git> {
  const { own, shared } = gitFolders(top)
  await writeFile(join(view, 'HEAD'), readTextIfPresent(join(own, 'HEAD')) ?? '')
  await writeFile(join(view, 'packed-refs'), readTextIfPresent(join(shared, 'packed-refs')) ?? '')
  await symlink(join(shared, 'refs'), join(view, 'refs'), 'junction')
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))
  const env = {
    ...Object.fromEntries(inherited),
    GIT_DIR: view,
    GIT_WORK_TREE: top,
    GIT_INDEX_FILE: join(own, 'index'),
    GIT_OBJECT_DIRECTORY: join(shared, 'objects'),
    // The user's own filters may be relative commands, which would be found in the repository.
    GIT_CONFIG_NOSYSTEM: '1',
    HOME: view,
    XDG_CONFIG_HOME: view,
  }
  // Without the configuration it is unknown whether the file system keeps modes. Locks could disturb a commit.
  const options = ['--no-optional-locks', '-c', 'core.fileMode=false']
  const limits = { timeout: slowestMilliseconds, maxBuffer: 64 << 20, cwd: view, env }
  return (...args) =>
    promisify(execFile)('git', [...options, ...args], limits).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    )
}

/** Returns the git folder of a working tree, and the one that it shares with the repository's other working trees. */
function gitFolders(top: string): { readonly own: string; readonly shared: string } {
  const dotGit = join(top, '.git')
  const isFolder = statSync(dotGit).isDirectory()
  const own = isFolder ? dotGit : resolve(top, lineIn(dotGit)!.replace(/^gitdir: /, ''))
  const shared = lineIn(join(own, 'commondir'))
  return { own, shared: shared === undefined ? own : resolve(own, shared) }
}

function lineIn(file: string): string | undefined {
  return readTextIfPresent(file)?.trimEnd()
}
