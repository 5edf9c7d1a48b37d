import { on } from 'node:events'
import { closeSync } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '../../config/load.js'
import { Lockstep, type Member } from '../../engines/lockstep.js'
import { selectEngine } from '../../engines/select.js'
import { openLog } from '../../files/append.js'
import type { RunOrder, RunReport } from '../../launchers/runner.js'
import { readCheckpoint } from '../../runs/checkpoint.js'
import { runFiles } from '../../runs/files.js'
import { writeFailure } from '../../text/failure.js'
import { withOutputIn } from '../../text/output.js'
import { runJob, waitForOther } from './job.js'

/** What a sweep starts for each of its places on this machine: it makes the runs it is sent, one order after another. */
export function sweepRunnerCommand(): Command {
  return new Command('sweep-runner').action(async () => {
    for await (const [order] of on(process, 'message', { close: ['disconnect'] })) {
      await followOrder(order as RunOrder)
    }
  })
}

type PlacedRun = RunOrder['runs'][number]

async function followOrder({ runs, replicas, threads }: RunOrder): Promise<void> {
  if (replicas === 1) {
    for (const { folder } of runs) await reportEnd(folder, () => runAlone(folder, threads))
    return
  }
  // Every run listens to the signals and to the others' engine.
  process.setMaxListeners(4 * replicas)
  for (const group of await byEpoch(runs)) await runSideBySide(group, replicas, threads)
}

async function runAlone(folder: string, threads: number): Promise<void> {
  await waitForOther(folder)
  await runJob(folder, threads)
}

/** Seeds of one config as replicas of one trainer. */
async function runSideBySide(runs: readonly PlacedRun[], replicas: number, threads: number): Promise<void> {
  const lockstep = openLockstep(runs, replicas)
  await Promise.all(
    runs.map(({ folder, place }) =>
      reportEnd(folder, async () => {
        const { reason, member } = await lockstep
        const { engine, leave } = member(place)
        await runJob(folder, threads, async () => ({ engine, reason })).finally(leave)
      }),
    ),
  )
}

interface OpenLockstep {
  readonly reason: string
  readonly member: (place: number) => Member
}

async function openLockstep(runs: readonly PlacedRun[], replicas: number): Promise<OpenLockstep> {
  const { device } = await loadConfig(runFiles(runs[0]!.folder).config, [])
  const { engine, reason } = await selectEngine(device)
  const lockstep = new Lockstep(engine, replicas, runs.length)
  return { reason, member: (place) => lockstep.member(place) }
}

/** Runs side by side begin with the same epoch: those that a kill left at different ones are different groups. */
async function byEpoch(runs: readonly PlacedRun[]): Promise<readonly (readonly PlacedRun[])[]> {
  const groups = new Map<number, PlacedRun[]>()
  for (const run of runs) {
    await waitForOther(run.folder)
    const epoch = await epochOf(run.folder)
    groups.set(epoch, [...(groups.get(epoch) ?? []), run])
  }
  return [...groups.values()]
}

/** Where the run goes on. What is wrong with its files shows when it does. */
async function epochOf(folder: string): Promise<number> {
  const files = runFiles(folder)
  try {
    return (await readCheckpoint(files, await loadConfig(files.config, [])))?.epoch ?? 0
  } catch {
    return -1
  }
}

/** A run's messages go to its own log, its end to the sweep. */
async function reportEnd(folder: string, run: () => Promise<void>): Promise<void> {
  const log = openLog(runFiles(folder).log)
  const code = await withOutputIn(log, () => run().then(() => 0, writeFailure))
  closeSync(log)
  const report: RunReport = { folder, code }
  if (process.connected) process.send!(report)
}
