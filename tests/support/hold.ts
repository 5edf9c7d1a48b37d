import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { type Finished, start } from './cli.js'
import { until } from './sweeps.js'

const preload = (program: string) => `--import=${pathToFileURL(join(import.meta.dirname, program))}`

/** A NODE_OPTIONS with which a run saves each of its epochs, however short they are. */
export const saveEveryEpoch = preload('save-every-epoch.mjs')

export interface HoldOptions {
  /** The signals that release the run. Slurm sends SIGCONT before each SIGTERM. */
  readonly release?: readonly NodeJS.Signals[]
  /** The end of the path of the run's folder. By default the first run is held. */
  readonly run?: string
}

export interface Hold {
  /** The environment of the command that trains the run or the sweep. */
  readonly env: Readonly<Record<string, string>>
  /** Resolves to the process number of the run once it is held. */
  readonly reached: () => Promise<number>
}

/** Holds a run, once, between an epoch's rows and its checkpoint, until its process receives a signal. */
export function holdAt(epoch: number, { release = ['SIGCONT'], run = '' }: HoldOptions = {}): Hold {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-hold-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const reached = join(folder, 'pid')
  return {
    env: {
      NODE_OPTIONS: preload('hold-run.mjs'),
      EIGENAE_TEST_HOLD: JSON.stringify({ epoch, run, release, reached }),
    },
    reached: () => until(() => Number(readFileSync(reached, 'utf8')) || null, `epoch ${epoch} of ${run}`),
  }
}

/** Runs a command, and sends its process a signal once its run is held between an epoch's rows and its checkpoint. */
export async function endedAt(
  epoch: number,
  signal: NodeJS.Signals,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const hold = holdAt(epoch, { release: signal === 'SIGKILL' ? [] : [signal] })
  const running = start(args, { env: { ...env, ...hold.env } })
  await hold.reached()
  running.process.kill(signal)
  return running.finished
}
