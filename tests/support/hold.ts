import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from './sweeps.js'

const program = pathToFileURL(join(import.meta.dirname, 'hold-run.mjs'))

export interface HoldOptions {
  /** The signals that let the run go on: Slurm sends SIGCONT before each SIGTERM. */
  readonly release?: readonly NodeJS.Signals[]
  /** The end of the path of the run's folder; by default every run is meant, and the first one is held. */
  readonly run?: string
}

export interface Hold {
  /** For the command line that trains the run, or makes it in a sweep. */
  readonly env: Readonly<Record<string, string>>
  /** The process of the held run, once it is held. */
  readonly reached: () => Promise<number>
}

/** Holds a run, once, between an epoch's rows and its checkpoint, until its process receives a signal. */
export function holdAt(epoch: number, { release = ['SIGCONT'], run = '' }: HoldOptions = {}): Hold {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-hold-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const reached = join(folder, 'pid')
  return {
    env: {
      NODE_OPTIONS: `--import=${program}`,
      EIGENAE_TEST_HOLD: JSON.stringify({ epoch, run, release, reached }),
    },
    reached: () => until(() => Number(readFileSync(reached, 'utf8')) || null, `epoch ${epoch} of ${run}`),
  }
}
