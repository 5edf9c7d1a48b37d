import { availableParallelism } from 'node:os'
import { loadConfig } from '../../config/load.js'
import type { Override } from '../../config/override.js'
import { type Device, devices } from '../../config/schema.js'
import type { Engine } from '../../engines/engine.js'
import { selectEngine } from '../../engines/select.js'
import { EigenaeError } from '../../errors.js'
import { writeMessage } from '../../text/output.js'
import { loadTrainingData } from '../../training/training-data.js'
import { type Job, measureDevices } from './measure.js'
import { type Refusal, writeMeasurements } from './report.js'

export interface BenchOptions {
  readonly config: string
  readonly overrides: readonly Override[]
  /** Measured epochs a device. */
  readonly rounds: number
  readonly threads: number | undefined
  readonly json: boolean
}

/** How fast each device of this machine trains the config; to stdout. */
export async function bench(options: BenchOptions): Promise<void> {
  const config = await loadConfig(options.config, options.overrides)
  const images = (await loadTrainingData(config, config.data.source)).train.images.pixels
  const threads = options.threads ?? availableParallelism()
  const { engines, refusals } =
    config.device === 'auto'
      ? await usableEngines()
      : { engines: [await engineOf(config.device)], refusals: [] }
  const job: Job = { config, images, threads, rounds: options.rounds }
  for (const { reason } of refusals) writeMessage(`not measured: ${reason}`)
  writeMessage(`measuring ${engines.map(({ device }) => device).join(', ')} …`)
  writeMeasurements(await measureDevices(engines, job), job, refusals, options.json)
}

async function usableEngines() {
  const engines: Engine[] = []
  const refusals: Refusal[] = []
  for (const device of devices.filter((each) => each !== 'auto')) {
    try {
      engines.push(await engineOf(device))
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      refusals.push({ device, reason: error.message.split('\n')[0]! })
    }
  }
  if (engines.length > 0) return { engines, refusals }
  const details = refusals.map(({ reason }) => reason)
  throw new EigenaeError({ problem: 'no device can train here', details })
}

async function engineOf(device: Device): Promise<Engine> {
  return (await selectEngine(device)).engine
}
