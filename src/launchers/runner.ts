import { type ChildProcess, spawn } from 'node:child_process'
import { appendToLog } from '../files/append.js'
import { runFiles } from '../runs/files.js'
import { runnerCommand } from './job.js'
import type { Ending } from './outcome.js'
import type { Slot } from './slots.js'

/** What a runner is sent: a run, or seeds of one config that train side by side … */
export interface RunOrder {
  /** `place`: among the replicas. */
  readonly runs: readonly { readonly folder: string; readonly place: number }[]
  /** How many train side by side, these and others that are done; 1 for a run alone. */
  readonly replicas: number
  readonly threads: number
}

/** … and what it answers when one of them has ended. */
export interface RunReport {
  readonly folder: string
  /** As `eigenae train` would have exited. */
  readonly code: number
}

/** After so long a run that was asked to stop is killed: its checkpoint is whole at any moment. */
const graceMilliseconds = 20_000

/**
 * A process that follows one order after another in its slot: starting Node, reading 55 MB of digits and opening a
 * device take longer than a short run. It has one order at a time, so a run that brings it down brings down nothing else.
 */
export class Runner {
  readonly #process: ChildProcess
  /** The runs of its order that have not ended, by folder. */
  readonly #open = new Map<string, (ending: Ending) => void>()

  constructor({ environment }: Slot) {
    const [command, ...args] = runnerCommand
    // In a group of its own: Ctrl-C goes to the sweep alone, and a run gets one signal, not two.
    this.#process = spawn(command!, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    })
    this.#process.on('message', ({ folder, code }: RunReport) => this.#end(folder, { kind: 'exit', code }))
    this.#process.on('error', (error) => this.#endAll({ kind: 'nothing', reason: error.message }))
    // Not "exit": what the process last said comes before "close".
    this.#process.on('close', (code, signal) => this.#endAll(endingOf(code, signal)))
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (text: Buffer) => this.#log(text))
    }
  }

  get isAlive(): boolean {
    return this.#process.connected
  }

  /** How each run ends, in the order's order. */
  make(order: RunOrder, stop: AbortSignal): readonly Promise<Ending>[] {
    const endings = order.runs.map(
      ({ folder }) => new Promise<Ending>((resolve) => this.#open.set(folder, resolve)),
    )
    this.#process.send(order, () => undefined)
    void this.#stopWith(stop, Promise.all(endings))
    return endings
  }

  /** Lets the process go once nothing is left for it. */
  release(): void {
    if (this.isAlive) this.#process.disconnect()
  }

  async #stopWith(stop: AbortSignal, ended: Promise<unknown>): Promise<void> {
    let grace: NodeJS.Timeout | undefined
    const end = () => {
      this.#process.kill('SIGTERM')
      grace = setTimeout(() => this.#process.kill('SIGKILL'), graceMilliseconds)
    }
    if (stop.aborted) end()
    stop.addEventListener('abort', end)
    await ended
    stop.removeEventListener('abort', end)
    clearTimeout(grace)
  }

  #end(folder: string, ending: Ending): void {
    this.#open.get(folder)?.(ending)
    this.#open.delete(folder)
  }

  #endAll(ending: Ending): void {
    for (const folder of this.#open.keys()) this.#end(folder, ending)
  }

  #log(text: Buffer): void {
    for (const folder of this.#open.keys()) appendIfPossible(folder, text)
  }
}

/**
 * A run writes to its log by itself; this is what V8 or a library says as it goes down. Where that cannot be written, the
 * run's own files cannot either, and it says so.
 */
function appendIfPossible(folder: string, text: Buffer): void {
  try {
    appendToLog(runFiles(folder).log, text)
  } catch {}
}

function endingOf(code: number | null, signal: string | null): Ending {
  return signal === null ? { kind: 'exit', code: code! } : { kind: 'signal', signal }
}
