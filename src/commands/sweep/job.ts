import { setTimeout } from 'node:timers/promises'
import { Command } from 'commander'
import { selectEngine } from '../../engines/select.js'
import { isLocked } from '../../files/lock.js'
import { runFiles } from '../../runs/files.js'
import { writeMessage, writeResult } from '../../text/output.js'
import { threadCount } from '../shared/options.js'
import { train } from '../train/train.js'

const lookMilliseconds = 500

/** What a cluster starts for each run: no command for people, who have `train`. */
export function sweepJobCommand(): Command {
  return new Command('sweep-job')
    .argument('<folder>', 'run folder with its config.json')
    .requiredOption('--threads <number>', 'cores to use', threadCount)
    .action(async (folder: string, { threads }: { readonly threads: number }) => {
      await waitForOther(folder)
      await runJob(folder, threads)
    })
}

/** Prints the device that "auto" means here. In a process of its own, since looking may take hold of a whole GPU. */
export function sweepDeviceCommand(): Command {
  return new Command('sweep-device').action(async () => {
    const { engine } = await selectEngine('auto')
    writeResult(engine.device)
  })
}

/** Trains what the folder's config says, on from its checkpoint. */
export async function runJob(folder: string, threads: number, select = selectEngine): Promise<void> {
  const { config } = runFiles(folder)
  const run = { overrides: [], use: 'resume', quiet: false, json: false } as const
  await train({ config, threads, out: folder, select, ...run })
}

/**
 * Another process may be at work on this run: a sweep that was killed leaves its runs going, a cluster gives a job to
 * another node while the first is out of sight. What it does is not done twice: this one waits, and goes on from there.
 */
export async function waitForOther(folder: string): Promise<void> {
  const { lock } = runFiles(folder)
  for (let waited = false; await isLocked(lock); waited = true) {
    if (!waited) writeMessage(`${lock}: another process is at work on this run, waiting for it to end`)
    await setTimeout(lookMilliseconds)
  }
}
