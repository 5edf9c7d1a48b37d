import { type ChildProcess, spawn } from 'node:child_process'
import { on } from 'node:events'
import { closeSync } from 'node:fs'
import { loadConfig } from '../config/load.js'
import { Lockstep } from '../engines/lockstep.js'
import { type Selection, selectEngine } from '../engines/select.js'
import { appendToLog, openLog } from '../files/write.js'
import { readCheckpoint } from '../runs/checkpoint.js'
import { runFiles } from '../runs/files.js'
import { withOutputIn, writeFailure } from '../text/output.js'
import { type Ending, hiddenCommand, waitForOtherProcess } from './attempt.js'

// The protocol between a sweep and its runners, over Node's channel between processes: the sweep (class Runner) sends an
// Order, the runner (followOrders) trains its runs and answers with a Report as each one ends.

interface Order {
  readonly runs: readonly OrderedRun[]
  /** The number of seeds that train side by side, including any that are complete already; 1 for a run on its own. */
  readonly replicas: number
  readonly threads: number
}

interface OrderedRun {
  readonly folder: string
  /** Its index, from 0, among the replicas. */
  readonly replica: number
}

interface Report {
  readonly folder: string
  /** The exit code that `eigenae train` would have had. */
  readonly code: number
}

/** The time until a run that was asked to stop is killed, which is safe because its checkpoint is always whole. */
const graceMilliseconds = 20_000

/**
 * The heap size up to which V8 runs no full collection. By default it marks the whole heap in every second short run,
 * because of some 17 MB of arrays a run, which minor collections free as well.
 */
const heapFlag = '--initial-old-space-size=64'

/**
 * The sweep's end: a process that follows one order after another, because starting Node, reading 55 MB of digits and
 * opening a device take longer than a short run. The slots of a card that trains runs side by side share a runner, which
 * follows their orders at the same time. Any other slot has its own, so that a run that crashes the process takes no
 * other run with it.
 */
export class Runner {
  readonly #process: ChildProcess
  /** Resolves the ending of each run of the current orders that has not ended, by folder. */
  readonly #open = new Map<string, (ending: Ending) => void>()
  #grace: NodeJS.Timeout | undefined

  constructor(environment: Readonly<Record<string, string>>) {
    const [command, ...args] = hiddenCommand('sweep-runner')
    // In a process group of its own, so that Ctrl-C reaches only the sweep, and a run gets one signal rather than two.
    this.#process = spawn(command!, [heapFlag, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    })
    this.#process.on('message', ({ folder, code }: Report) => this.#end(folder, { code, signal: null }))
    this.#process.on('error', (error) =>
      this.#endAll({ code: null, signal: null, notStarted: error.message }),
    )
    // Not "exit", which may come before the last output.
    this.#process.on('close', (code, signal) => this.#endAll({ code, signal }))
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (text: Buffer) => this.#log(text))
    }
  }

  get isAlive(): boolean {
    return this.#process.connected
  }

  /** Returns a promise of each run's ending, in the order's order. */
  train(order: Order, stop: AbortSignal): readonly Promise<Ending>[] {
    const endings = order.runs.map(
      ({ folder }) => new Promise<Ending>((resolve) => this.#open.set(folder, resolve)),
    )
    this.#process.send(order, () => undefined)
    void this.#stopWith(stop, Promise.all(endings))
    return endings
  }

  /** Lets the process end. */
  release(): void {
    if (this.isAlive) this.#process.disconnect()
  }

  async #stopWith(stop: AbortSignal, ended: Promise<unknown>): Promise<void> {
    const end = () => this.#stop()
    if (stop.aborted) end()
    stop.addEventListener('abort', end)
    await ended
    stop.removeEventListener('abort', end)
    if (this.#open.size === 0) clearTimeout(this.#grace)
  }

  /** Sends one signal, however many orders are stopped: a second one would end the process without saving. */
  #stop(): void {
    if (this.#grace !== undefined) return
    this.#process.kill('SIGTERM')
    this.#grace = setTimeout(() => this.#process.kill('SIGKILL'), graceMilliseconds)
  }

  #end(folder: string, ending: Ending): void {
    this.#open.get(folder)?.(ending)
    this.#open.delete(folder)
  }

  #endAll(ending: Ending): void {
    for (const folder of this.#open.keys()) this.#end(folder, ending)
  }

  /** A run writes its own log. This is the output of V8 or of a library when the process crashes. */
  #log(text: Buffer): void {
    for (const folder of this.#open.keys()) {
      try {
        appendToLog(runFiles(folder).log, text)
      } catch {
        // If the log cannot be written, the run's other files cannot either, and the run fails with that error.
      }
    }
  }
}

/** Trains the run in a folder from its config.json, resuming from its checkpoint, as the command `train` does. */
export type TrainRun = (folder: string, threads: number, select?: () => Promise<Selection>) => Promise<void>

/** The runner's end: follows each order as it comes until the sweep disconnects. */
export async function followOrders(train: TrainRun): Promise<void> {
  // Each run in training listens to the signals, and there may be any number of them.
  process.setMaxListeners(0)
  const followed: Promise<void>[] = []
  for await (const [order] of on(process, 'message', { close: ['disconnect'] }))
    followed.push(followOrder(order as Order, train))
  await Promise.all(followed)
}

async function followOrder({ runs, replicas, threads }: Order, train: TrainRun): Promise<void> {
  if (replicas === 1) {
    for (const { folder } of runs) {
      await trainAndReport(folder, async () => {
        await waitForOtherProcess(folder)
        await train(folder, threads)
      })
    }
    return
  }
  for (const sameEpoch of await groupByEpoch(runs)) await trainSideBySide(sameEpoch, replicas, threads, train)
}

/** Groups runs by their next epoch, because replicas start together; a kill may have left them at different epochs. */
async function groupByEpoch(runs: readonly OrderedRun[]): Promise<readonly (readonly OrderedRun[])[]> {
  const byEpoch = new Map<number, OrderedRun[]>()
  for (const run of runs) {
    await waitForOtherProcess(run.folder)
    const epoch = await savedEpoch(run.folder)
    byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), run])
  }
  return [...byEpoch.values()]
}

/** Returns the epoch of the checkpoint, 0 without one, -1 if it cannot be read: training the run reports why. */
async function savedEpoch(folder: string): Promise<number> {
  const files = runFiles(folder)
  try {
    return (await readCheckpoint(files, await loadConfig(files.config, [], 'recorded')))?.epoch ?? 0
  } catch {
    return -1
  }
}

/** Trains seeds of one config as replicas of one trainer. */
async function trainSideBySide(
  runs: readonly OrderedRun[],
  replicas: number,
  threads: number,
  train: TrainRun,
): Promise<void> {
  const open = async () => {
    const { device } = await loadConfig(runFiles(runs[0]!.folder).config, [], 'recorded')
    const { engine, reason } = await selectEngine(device, { replicas: true })
    return { lockstep: new Lockstep(engine, replicas, runs.length), reason }
  }
  const opened = open()
  await Promise.all(
    runs.map(({ folder, replica }) =>
      trainAndReport(folder, async () => {
        const { lockstep, reason } = await opened
        const { engine, leave } = lockstep.member(replica)
        await train(folder, threads, async () => ({ engine, reason })).finally(leave)
      }),
    ),
  )
}

/** Trains with the output in the run's own log, and reports the exit code to the sweep. */
async function trainAndReport(folder: string, train: () => Promise<void>): Promise<void> {
  const log = openLog(runFiles(folder).log)
  const code = await withOutputIn(log, () => train().then(() => 0, writeFailure))
  closeSync(log)
  const report: Report = { folder, code }
  if (process.connected) process.send!(report)
}
