import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const script = join(import.meta.dirname, 'cluster.sh')
const commands = ['slurmctld', 'slurmd', 'munged', 'sbatch', 'squeue']

/** Why no cluster can be started here; null if one can. */
export const noSlurm = findReason()

function findReason(): string | null {
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0)
  if (missing.length > 0) return `no ${missing.join(', ')} (Debian: apt-get install slurm-wlm munge)`
  return process.getuid?.() === 0 ? null : 'Slurm can only be started as root'
}

export interface Cluster {
  /** Points Slurm's commands at this cluster. */
  readonly env: { readonly SLURM_CONF: string }
  /** Runs a command of Slurm, and returns its output. */
  readonly run: (command: string, ...args: readonly string[]) => string
  /** Kills a node's slurmd, as a power cut would. */
  readonly killNode: (node: string) => void
  readonly startNode: (node: string) => void
  readonly stop: () => void
}

/** Starts a cluster of two nodes, n1 and n2, each with a fake GPU. */
export function startCluster(): Cluster {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-slurm-'))
  const control = (action: string, ...args: readonly string[]) =>
    execFileSync(script, [action, folder, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  const env = { SLURM_CONF: control('start').trim() }
  return {
    env,
    run: (command, ...args) =>
      execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } }).trim(),
    killNode: (node) => control('kill-node', node),
    startNode: (node) => control('start-node', node),
    stop: () => {
      control('stop')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
