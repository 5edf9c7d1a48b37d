import { on } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Command } from 'commander'
import { selectEngine } from '../../engines/select.js'
import { exitCode } from '../../errors.js'
import { runFiles } from '../../runs/files.js'
import { isLocked } from '../../runs/lock.js'
import type { RunOrder, RunReport } from '../../sweeps/launchers/runner.js'
import { writeFailure } from '../../terminal/failure.js'
import { sendOutputTo, writeMessage, writeResult } from '../../terminal/output.js'
import { wholeNumber } from '../options.js'
import { train } from '../train/train.js'

const lookMilliseconds = 500

/** What a cluster starts for each run: no command for people, who have `train`. */
export function sweepJobCommand(): Command {
  return new Command('sweep-job')
    .argument('<folder>', 'run folder with its config.json')
    .requiredOption('--threads <number>', 'cores to use', wholeNumber('--threads', 1))
    .action((folder: string, { threads }: { readonly threads: number }) => {
      process.once('uncaughtException', endAtOnce)
      return runJob(folder, threads)
    })
}

/** What a sweep starts for each of its places on this machine: it makes the runs it is sent, one after another. */
export function sweepRunnerCommand(): Command {
  return new Command('sweep-runner').action(async () => {
    process.once('uncaughtException', endAtOnce)
    for await (const [order] of on(process, 'message', { close: ['disconnect'] })) {
      const report: RunReport = { code: await followOrder(order as RunOrder) }
      if (process.connected) process.send!(report)
    }
  })
}

/** Prints the device that "auto" means here. In a process of its own, since looking may take hold of a whole GPU. */
export function sweepDeviceCommand(): Command {
  return new Command('sweep-device').action(async () => {
    const { engine } = await selectEngine('auto')
    writeResult(engine.device)
  })
}

/** One run, whose messages go to its own log. */
async function followOrder({ folder, threads }: RunOrder): Promise<number> {
  const log = openSync(runFiles(folder).log, 'a')
  sendOutputTo(log)
  try {
    await runJob(folder, threads)
    return 0
  } catch (error) {
    return writeFailure(error)
  } finally {
    sendOutputTo(null)
    closeSync(log)
  }
}

/** Trains what the folder's config says, on from its checkpoint. */
async function runJob(folder: string, threads: number): Promise<void> {
  await waitForOther(folder)
  const { config } = runFiles(folder)
  await train({ config, overrides: [], threads, out: folder, use: 'resume', quiet: false, json: false })
}

/**
 * Another process may be at work on this run: a sweep that was killed leaves its runs going, a cluster gives a job to
 * another node while the first is out of sight. What it does is not done twice: this one waits, and goes on from there.
 */
async function waitForOther(folder: string): Promise<void> {
  const { lock } = runFiles(folder)
  for (let waited = false; await isLocked(lock); waited = true) {
    if (!waited) writeMessage(`${lock}: another process is at work on this run, waiting for it to end`)
    await setTimeout(lookMilliseconds)
  }
}

/** A lost lock, say: no more may be written, not even to run.json. */
function endAtOnce(error: Error): void {
  writeMessage(`eigenae: ${error.message}`)
  process.exit(exitCode.failed)
}
