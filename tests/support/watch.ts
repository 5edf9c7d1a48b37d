import { expect } from 'vitest'
import type { FolderSummary, FolderUpdate, MachineState, RunRow } from '../../src/pages/watch/watch-format.js'
import { type Finished, type StartOptions, start } from './cli.js'

/** The state that a reader of `eigenae watch` has after its messages. */
export class Watched {
  readonly rows = new Map<string, RunRow>()
  summary: FolderSummary | null = null
  machine: MachineState | null = null
  reports = 0

  /** The names of the runs with a status. */
  named(status: RunRow['status']): readonly string[] {
    const rows = [...this.rows.values()].filter((row) => row.status === status)
    return rows.map(({ name }) => name).sort()
  }

  apply(event: string, data: string): void {
    if (event === 'report') this.reports++
    if (event === 'machine') this.machine = JSON.parse(data) as MachineState
    if (event !== 'state' && event !== 'update') return
    const { summary, changed, removed } = JSON.parse(data) as FolderUpdate
    for (const name of removed) this.rows.delete(name)
    for (const row of changed) this.rows.set(row.name, row)
    this.summary = summary
  }
}

export interface Watch {
  readonly address: string
  readonly watched: Watched
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<Finished>
}

/** Starts `eigenae watch` and reads its events. */
export async function startWatch(args: readonly string[], options?: StartOptions): Promise<Watch> {
  const { process, finished, untilPrinted } = start(['watch', ...args], options)
  let printed = ''
  process.stdout!.on('data', (chunk) => {
    printed += chunk
  })
  await untilPrinted('Ctrl-C')
  await expect.poll(() => printed).toMatch(/^http:.*\/\n$/)
  const address = printed.trim()
  const watched = new Watched()
  void readEvents(`${address}events`, watched)
  await expect.poll(() => watched.summary?.unread).toBe(0)
  return {
    address,
    watched,
    end: (signal) => {
      process.kill(signal)
      return finished
    },
  }
}

/** Reads server-sent events until the connection ends. */
async function readEvents(address: string, watched: Watched): Promise<void> {
  const { body } = await fetch(address)
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of body!) {
      text += decoder.decode(chunk, { stream: true })
      const messages = text.split('\n\n')
      text = messages.pop()!
      for (const message of messages) {
        const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(message) ?? []
        if (event !== undefined) watched.apply(event, data!)
      }
    }
  } catch {
    // The watch has ended.
  }
}
