import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, hostname, release, type } from 'node:os'
import { basename, join } from 'node:path'
import { packageRoot } from '../package-root.js'
import type { RecordedCommand, RunFacts } from './record.js'
import { isRepository, type RepositoryState, repositoryState } from './repository.js'

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
  const [here, own] = await Promise.all([repositoryState('.'), ownState()])
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
