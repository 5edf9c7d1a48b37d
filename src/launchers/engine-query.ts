import { execFile } from 'node:child_process'
import type { Config } from '../config/schema.js'
import { engineQueryCommand } from './attempt.js'

// A sweep asks which engine its runs will have by the hidden command `sweep-engine`, in another process, because opening
// a device may reserve a whole GPU. It writes the configs to the command's stdin and reads an EngineAnswer.

export interface EngineAnswer {
  /** Whether every run will occupy a GPU. */
  readonly onGpu: boolean
  /** The number of runs of one process that the engine trains at the same time; null if each run needs a process. */
  readonly atOnce: number | null
}

/** The answer if no engine can be opened: each run then reports the reason. */
const unknown: EngineAnswer = { onGpu: false, atOnce: null }

/** Asks on a machine with the GPUs that `environment` makes visible. */
export async function askForEngine(
  configs: readonly Config[],
  environment: Readonly<Record<string, string>>,
): Promise<EngineAnswer> {
  const [command, ...args] = engineQueryCommand
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment }
    const child = execFile(command!, args, { env }, (error, stdout) =>
      resolve(error === null ? (JSON.parse(stdout) as EngineAnswer) : unknown),
    )
    child.stdin!.on('error', () => undefined) // It has ended early, and the callback knows why.
    child.stdin!.end(JSON.stringify(distinct(configs)))
  })
}

/** Returns one config of each network, because the seeds and weights of a sweep do not change the engine. */
function distinct(configs: readonly Config[]): readonly Config[] {
  const byNetwork = new Map(
    configs.map((config) => [
      JSON.stringify([config.device, config.model, config.train, config.loss]),
      config,
    ]),
  )
  return [...byNetwork.values()]
}
