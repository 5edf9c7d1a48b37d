import { on } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '../../config/load.js'
import { Lockstep, type Member } from '../../engines/lockstep.js'
import { selectEngine } from '../../engines/select.js'
import { readCheckpoint } from '../../runs/checkpoint.js'
import { runFiles } from '../../runs/files.js'
import type { RunOrder, RunReport } from '../../sweeps/launchers/runner.js'
import { writeFailure } from '../../terminal/failure.js'
import { withOutputIn } from '../../terminal/output.js'
import { endAtOnce, runJob, waitForOther } from './job.js'

/** What a sweep starts for each of its places on this machine: it makes the runs it is sent, one order after another. */
export function sweepRunnerCommand(): Command {
  return new Command('sweep-runner').action(async () => {
    process.once('uncaughtException', endAtOnce)
    for await (const [order] of on(process, 'message', { close: ['disconnect'] })) {
      await followOrder(order as RunOrder)
    }
  })
}

async function followOrder({ folders, threads }: RunOrder): Promise<void> {
  const [folder] = folders
  if (folders.length === 1) return reportEnd(folder!, () => runAlone(folder!, threads))
  // Every run listens to the signals and to the others' engine.
  process.setMaxListeners(4 * folders.length)
  for (const group of await byEpoch(folders)) await runSideBySide(group, threads)
}

async function runAlone(folder: string, threads: number): Promise<void> {
  await waitForOther(folder)
  await runJob(folder, threads)
}

/** Seeds of one config as replicas of one trainer. */
async function runSideBySide(folders: readonly string[], threads: number): Promise<void> {
  const lockstep = openLockstep(folders)
  await Promise.all(
    folders.map((folder) => reportEnd(folder, async () => runAsMember(folder, threads, await lockstep))),
  )
}

interface OpenLockstep {
  readonly reason: string
  readonly member: () => Member
}

async function openLockstep(folders: readonly string[]): Promise<OpenLockstep> {
  const { device } = await loadConfig(runFiles(folders[0]!).config, [])
  const { engine, reason } = await selectEngine(device)
  const lockstep = new Lockstep(engine, folders.length)
  return { reason, member: () => lockstep.member() }
}

async function runAsMember(folder: string, threads: number, { reason, member }: OpenLockstep): Promise<void> {
  const { engine, leave } = member()
  try {
    await runJob(folder, threads, async () => ({ engine, reason }))
  } finally {
    await leave()
  }
}

/** Runs side by side begin with the same epoch: those that a kill left at different ones are different groups. */
async function byEpoch(folders: readonly string[]): Promise<readonly (readonly string[])[]> {
  const groups = new Map<number, string[]>()
  for (const folder of folders) {
    await waitForOther(folder)
    const epoch = await epochOf(folder)
    groups.set(epoch, [...(groups.get(epoch) ?? []), folder])
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
  const log = openSync(runFiles(folder).log, 'a')
  const code = await withOutputIn(log, () => run().then(() => 0, writeFailure))
  closeSync(log)
  const report: RunReport = { folder, code }
  if (process.connected) process.send!(report)
}
