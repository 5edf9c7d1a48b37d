import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { arch, availableParallelism, cpus, hostname, release, tmpdir, type } from 'node:os'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { readTextIfPresent } from '../files/read.js'
import { packageRoot } from '../package-root.js'
import type { RecordedCommand, RunFacts } from './record.js'

/** The version in package.json. */
export const version = packageVersion()

function packageVersion(): string {
  const text = readFileSync(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** The facts in run.json about the versions, the commits and the machine. */
export type EnvironmentFacts = Pick<
  RunFacts,
  'versions' | 'gitCommit' | 'gitDirty' | 'eigenae' | 'host' | 'cpu' | 'system'
>

let repositories: Promise<Pick<EnvironmentFacts, 'gitCommit' | 'gitDirty' | 'eigenae'>> | undefined

/** Returns the facts about this process. git is run only once, so that all runs of a process record the same commit. */
export async function environmentFacts(): Promise<EnvironmentFacts> {
  repositories ??= repositoryFacts()
  return {
    versions: { eigenae: version, node: process.versions.node },
    ...(await repositories),
    host: hostname(),
    cpu: { model: cpus()[0]?.model.trim() || null, cores: availableParallelism() },
    system: { type: type(), release: release(), arch: arch() },
  }
}

/** Returns the command line of this process: eigenae's, or that of a script that uses its functions. */
export function ownCommand(): RecordedCommand {
  const [, script = '', ...args] = process.argv
  const isOwn = ['eigenae', 'eigenae.js'].includes(basename(script))
  return { words: isOwn ? ['eigenae', ...args] : ['node', script, ...args], folder: process.cwd() }
}

/**
 * Returns the most memory, in bytes, that this process has had resident, without the processes that it started. On Linux
 * getrusage may count the parent's memory before exec, so the kernel's own high-water mark is read.
 */
export function peakMemoryBytes(): number {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : ''
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return 1024 * Number(kilobytes)
}

async function repositoryFacts() {
  const inUse = repositoryState('.')
  const isOwn = topOf(resolve('.')) === packageRoot
  const [here, own] = await Promise.all([inUse, isOwn ? inUse : ownState()])
  return { gitCommit: here.commit, gitDirty: here.dirty, eigenae: own }
}

/** The commit that eigenae itself runs from: its repository's, or the one that `npm pack` wrote into the package. */
async function ownState(): Promise<RepositoryState> {
  // Below the top of a repository, for example in node_modules, the commit would be that of another project.
  if (isRepository(packageRoot)) return repositoryState(packageRoot)
  try {
    const stamp = JSON.parse(
      readFileSync(join(packageRoot, 'dist', 'commit.json'), 'utf8'),
    ) as RepositoryState
    return { commit: stamp.commit, dirty: stamp.dirty }
  } catch {
    return { commit: null, dirty: null }
  }
}

// A repository's configuration names programs that git runs even for its status: filters, hooks, monitors. So git never
// reads the configuration of a repository that another person may have made. It gets a view: a temporary git folder with
// the repository's HEAD and branches, and no configuration.

/**
 * A commit, and whether the contents of tracked files differ from it; null outside a repository, or if git is missing, too
 * slow, or needs the repository's configuration to read it.
 */
interface RepositoryState {
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
    // git would run in submodules with their configuration to see whether their files differ.
    const unread = ['--untracked-files=no', '--no-renames', '--ignore-submodules=dirty']
    const status = await git('status', '--porcelain=v2', '--branch', ...unread)
    if (status === null) return { commit: await git('rev-parse', 'HEAD'), dirty: null }
    const commit = /^# branch\.oid ([0-9a-f]+)$/m.exec(status)?.[1] ?? null
    return { commit, dirty: commit === null ? null : /^[^#]/m.test(status) }
  } catch {
    return unknown
  } finally {
    if (view !== undefined) await rm(view, { recursive: true, force: true }).catch(() => undefined)
  }
}

/** Returns whether a folder is the top of a repository, and not a folder inside one. */
function isRepository(folder: string): boolean {
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
