import { basename, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Comparison } from '../../comparison/comparison.js'
import { compareCompleted, LiveReports } from './live-report.js'
import { Machine } from './machine.js'
import { Monitor } from './monitor.js'
import { watchPage } from './page.js'
import { watchServer } from './server.js'
import { type Size, watchLines } from './text.js'

export interface WatchOptions {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** Called with the address when it can be opened. */
  readonly onListening: (address: string) => void
}

// A new report at most this often, and rarely enough to leave most of a core to the trainings.
const reportMilliseconds = 1000
const pausePerReport = 5

const machineMilliseconds = 5000

/** Serves the page of a folder until the signal is aborted. @throws EigenaeError if the folder cannot be read. */
export async function serveWatch(folder: string, options: WatchOptions, signal: AbortSignal): Promise<void> {
  const machine = new Machine(signal)
  const monitor = new Monitor(folder, (update) => {
    server.send('update', update)
    if (update.changed.length + update.removed.length > 0) scheduleReport()
  })
  const reports = new LiveReports(monitor)
  let timer: NodeJS.Timeout | undefined
  let nextReport = 0
  const scheduleReport = () => {
    timer ??= setTimeout(
      () => {
        timer = undefined
        nextReport = performance.now() + reportMilliseconds
        server.send('report', null)
      },
      Math.max(0, nextReport - performance.now()),
    )
  }
  const refreshMachine = async () => {
    const before = machine.state
    await machine.refresh()
    if (!isDeepStrictEqual(machine.state, before)) server.send('machine', machine.state)
  }
  let machineTimer: NodeJS.Timeout | undefined
  const server = watchServer({
    page: () => watchPage(basename(resolve(folder))),
    report: async () => {
      const began = performance.now()
      const text = JSON.stringify(await reports.make())
      nextReport = Math.max(nextReport, performance.now() + pausePerReport * (performance.now() - began))
      return text
    },
    firstEvents: () => [
      { name: 'state', data: { summary: monitor.summary, changed: monitor.rows, removed: [] } },
      { name: 'machine', data: machine.state },
      { name: 'report', data: null },
    ],
    onReaders: (present) => {
      clearInterval(machineTimer)
      if (!present) return
      void refreshMachine()
      machineTimer = setInterval(() => void refreshMachine(), machineMilliseconds)
    },
  })
  try {
    await monitor.requireFolder()
    options.onListening(await server.listen(options.host, options.port))
    await monitor.follow(signal)
  } finally {
    clearTimeout(timer)
    clearInterval(machineTimer)
    server.close()
  }
}

export interface TerminalOptions {
  readonly size: () => Size
  /** Called with the lines of the screen whenever they may have changed. */
  readonly onLines: (lines: readonly string[]) => void
  /** Whether to end after the first look at the folder. */
  readonly once: boolean
}

// Results are compared again at most this often, as most of their lines do not change with an epoch.
const resultMilliseconds = 2000

/** Describes a folder as text until the signal is aborted. @throws EigenaeError if the folder cannot be read. */
export async function describeWatch(
  folder: string,
  { size, onLines, once }: TerminalOptions,
  signal: AbortSignal,
): Promise<void> {
  const machine = new Machine(signal)
  let hasChanged = true
  const monitor = new Monitor(folder, () => {
    hasChanged = true
    if (!once) draw()
  })
  let comparison: Comparison | null = null
  const draw = () => {
    const { rows, summary } = monitor
    const title = `${summary.sweeps[0]?.name ?? basename(resolve(folder))} (${folder})`
    onLines(watchLines({ title, rows, summary, machine: machine.state, comparison }, size()))
  }
  const compare = async () => {
    if (!hasChanged) return
    hasChanged = false
    comparison = await compareCompleted(monitor)
  }
  await monitor.requireFolder()
  if (once) {
    await Promise.all([monitor.pass(signal).then(compare), machine.refresh()])
    return draw()
  }
  const refresh = async () => {
    await Promise.all([compare(), machine.refresh()])
    draw()
  }
  const timer = setInterval(() => void refresh(), resultMilliseconds)
  try {
    await monitor.follow(signal)
  } finally {
    clearInterval(timer)
  }
}
