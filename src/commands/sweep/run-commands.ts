import { join } from 'node:path'
import { Command } from 'commander'
import { selectEngine } from '../../engines/select.js'
import { waitForOtherProcess } from '../../launchers/attempt.js'
import { followOrders, type TrainRun } from '../../launchers/runner.js'
import { runFiles } from '../../runs/files.js'
import { sweepCommand } from '../../sweeps/folder.js'
import { writeResult } from '../../text/output.js'
import { threadCount } from '../shared/options.js'
import { train } from '../train/train.js'

// The hidden commands that launchers start (src/launchers/attempt.ts). People use `train` and `sweep`.

/** Trains one run on a cluster. */
export function sweepJobCommand(): Command {
  return new Command('sweep-job')
    .argument('<folder>', 'run folder with its config.json')
    .requiredOption('--threads <number>', 'cores to use', threadCount)
    .action(async (folder: string, { threads }: { readonly threads: number }) => {
      await waitForOtherProcess(folder)
      await trainRun(folder, threads)
    })
}

/** Trains the runs that a sweep on this machine sends. */
export function sweepRunnerCommand(): Command {
  return new Command('sweep-runner').action(() => followOrders(trainRun))
}

/** Prints the device that "auto" selects on this machine. */
export function sweepDeviceCommand(): Command {
  return new Command('sweep-device').action(async () => {
    const { engine } = await selectEngine('auto')
    writeResult(engine.device)
  })
}

const trainRun: TrainRun = (folder, threads, select) => {
  // A run lies in its arm's folder, and that in the sweep's.
  const command = sweepCommand(join(folder, '..', '..'))
  return train({
    config: runFiles(folder).config,
    overrides: [],
    threads,
    out: folder,
    use: 'resume',
    quiet: false,
    json: false,
    ...(command && { command }),
    ...(select && { select }),
  })
}
