import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { Command } from 'commander'
import type { Config } from '../config/schema.js'
import type { Engine } from '../engines/engine.js'
import { isOnGpu, selectEngine } from '../engines/select.js'
import { waitForOtherProcess } from '../launchers/attempt.js'
import type { EngineAnswer } from '../launchers/local.js'
import { followOrders, type TrainRun } from '../launchers/runner.js'
import { runFiles } from '../runs/files.js'
import { sweepCommand } from '../sweeps/folder.js'
import { writeJsonLine } from '../text/output.js'
import { trainerSpec } from '../training/spec.js'
import { threadCount } from './shared/options.js'
import { train } from './train.js'

// The hidden commands that launchers start (src/launchers/attempt.ts). People use `train` and `sweep`.

/** Trains one run on a cluster. */
export function sweepJobCommand() {
  return new Command('sweep-job')
    .argument('<folder>', 'run folder with its config.json')
    .requiredOption('--threads <number>', 'cores to use', threadCount)
    .action(async (folder, { threads }) => {
      await waitForOtherProcess(folder)
      await trainRun(folder, threads)
    })
}

/** Trains the runs that a sweep on this machine sends. */
export function sweepRunnerCommand() {
  return new Command('sweep-runner').action(() => followOrders(trainRun))
}

/** Answers which engine the configs on stdin will have. */
export function sweepEngineCommand() {
  return new Command('sweep-engine').action(async () => {
    writeJsonLine(await engineAnswer((await json(process.stdin)) as readonly Config[]))
  })
}

async function engineAnswer(configs: readonly Config[]): Promise<EngineAnswer> {
  const engines: Engine[] = []
  for (const config of configs)
    engines.push((await selectEngine(config.device, { spec: trainerSpec(config, 1, 1) })).engine)
  const counts = engines.map(({ atOnce }) => atOnce)
  const known = counts.filter((count) => count !== undefined)
  return {
    onGpu: engines.every(({ device }) => isOnGpu(device)),
    atOnce: known.length === counts.length ? Math.min(...known) : null,
  }
}

const trainRun: TrainRun = (folder, threads, select) => {
  // A run lies in its arm's folder, and that in the sweep's.
  const command = sweepCommand(join(folder, '..', '..'))
  return train({
    config: runFiles(folder).config,
    overrides: [],
    origin: 'recorded',
    threads,
    out: folder,
    use: 'resume',
    quiet: false,
    json: false,
    ...(command && { command }),
    ...(select && { select }),
  })
}
