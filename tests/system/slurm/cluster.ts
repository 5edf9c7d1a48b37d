import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const script = join(import.meta.dirname, 'cluster.sh')
const commands = ['slurmctld', 'slurmd', 'munged', 'sbatch', 'squeue']

/** Why no cluster can be started here; null where it can. */
export const noSlurm = reasonAgainst()
if (noSlurm !== null && process.env.CI) throw new Error(`the tests of the slurm launcher: ${noSlurm}`)

function reasonAgainst(): string | null {
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0)
  if (missing.length > 0) return `needs Debian's slurm-wlm and munge (missing: ${missing.join(', ')})`
  return process.getuid?.() === 0 ? null : 'needs root'
}

export interface Cluster {
  /** For the command line, to find this cluster. */
  readonly env: { readonly SLURM_CONF: string }
  /** A command of Slurm's, scontrol say; gives what it prints. */
  readonly run: (command: string, ...args: readonly string[]) => string
  /** Ends a node's slurmd at once, as a power cut does. */
  readonly killNode: (node: string) => void
  readonly startNode: (node: string) => void
  readonly stop: () => void
}

/** A cluster of two nodes, n1 and n2, each with a fake GPU. */
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
