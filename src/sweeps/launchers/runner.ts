import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { runFiles } from '../../runs/files.js'
import { runnerCommand } from '../job.js'
import type { Ending } from '../outcome.js'
import type { Slot } from './slots.js'

/** What a runner is sent … */
export interface RunOrder {
  readonly folder: string
  readonly threads: number
}

/** … and what it answers when the run has ended. */
export interface RunReport {
  /** As `eigenae train` would have exited. */
  readonly code: number
}

/** After so long a run that was asked to stop is killed: its checkpoint is whole at any moment. */
const graceMilliseconds = 20_000

/**
 * A process that makes one run after another in its slot: starting Node, reading 55 MB of digits and opening a device
 * take longer than a short run. One run is in it at a time, so one that brings it down brings down nothing else.
 */
export class Runner {
  readonly #process: ChildProcess
  readonly #threads: number
  #folder = ''

  constructor({ threads, environment }: Slot) {
    const [command, ...args] = runnerCommand
    this.#threads = threads
    // In a group of its own: Ctrl-C goes to the sweep alone, and a run gets one signal, not two.
    this.#process = spawn(command!, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    })
    this.#process.on('error', () => undefined)
    // A run writes to its log by itself; this is what V8 or a library says as it goes down.
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (text: Buffer) => appendFileSync(runFiles(this.#folder).log, text))
    }
  }

  get isAlive(): boolean {
    return this.#process.connected
  }

  async make(folder: string, stop: AbortSignal): Promise<Ending> {
    this.#folder = folder
    let grace: NodeJS.Timeout | undefined
    const end = () => {
      this.#process.kill('SIGTERM')
      grace = setTimeout(() => this.#process.kill('SIGKILL'), graceMilliseconds)
    }
    if (stop.aborted) end()
    stop.addEventListener('abort', end)
    try {
      return await this.#ending({ folder, threads: this.#threads })
    } finally {
      stop.removeEventListener('abort', end)
      clearTimeout(grace)
    }
  }

  /** Lets the process go once nothing is left for it. */
  release(): void {
    if (this.isAlive) this.#process.disconnect()
  }

  async #ending(order: RunOrder): Promise<Ending> {
    const over = new AbortController()
    const options = { signal: over.signal }
    // Not "exit": what the process last said comes before "close".
    const reported = once(this.#process, 'message', options)
    const closed = once(this.#process, 'close', options)
    this.#process.send(order, () => undefined)
    try {
      return await Promise.race([
        reported.then(([report]): Ending => ({ kind: 'exit', code: (report as RunReport).code })),
        closed.then(([code, signal]): Ending => endingOf(code as number | null, signal as string | null)),
      ])
    } finally {
      over.abort()
    }
  }
}

function endingOf(code: number | null, signal: string | null): Ending {
  return signal === null ? { kind: 'exit', code: code! } : { kind: 'signal', signal }
}
