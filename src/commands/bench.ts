import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { type Config, type Device, devices } from '../config/schema.js'
import type { Engine, Trainer } from '../engines/engine.js'
import { selectEngine } from '../engines/select.js'
import { EigenaeError, firstLine } from '../errors.js'
import { flopPerImage } from '../model/architecture.js'
import { packageRoot } from '../package-root.js'
import { thousands } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import { refuseTooLarge } from '../training/memory.js'
import { trainerSpec } from '../training/spec.js'
import { loadTrainingData } from '../training/training-data.js'
import { deviceOption, type FlagsOf, fieldOverride, threadCount, wholeNumber } from './shared/options.js'

/** The eigen arm, which comes with the package. */
const defaultConfig = join(packageRoot, 'configs', 'eigen.json')

export const benchCommand = () => declaration().action(bench)

function declaration() {
  return new Command('bench')
    .description('Measure the training speed of each device against the peak of the machine')
    .option('--config <file>', 'config to train (default: the eigen arm)')
    .option('--batch-size <number>', "set the config's train.batchSize (default: the config's, or else 64)")
    .addOption(deviceOption('measure this device only (default: every usable one)'))
    .option(
      '--epochs <number>',
      'measured epochs per device, after a warm-up epoch',
      wholeNumber('--epochs', 1),
      3,
    )
    .option('--threads <number>', 'cores to use (default: all)', threadCount)
    .option('--json', 'print the measurements as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae bench --batch-size 256 --epochs 5')
}

/** The training that all devices do. */
interface Job {
  readonly config: Config
  /** [count][inputs] */
  readonly images: Uint8Array
  readonly count: number
  /** GFLOP of an epoch. */
  readonly gigaflop: number
  readonly threads: number
  /** Measured epochs per device. */
  readonly rounds: number
}

/** Prints how fast each device trains the config. */
async function bench(flags: FlagsOf<typeof declaration>): Promise<void> {
  const { threads = availableParallelism(), epochs: rounds } = flags
  const config = await loadConfig(flags.config ?? defaultConfig, [
    ...fieldOverride('--batch-size', 'train.batchSize', flags.batchSize),
    // Replaces the config's own device: without --device, all are compared.
    ...fieldOverride('--device', 'device', flags.device ?? 'auto'),
  ])
  const { train, test } = await loadTrainingData(config, config.data.source)
  const { count, pixels: images } = train.images
  refuseTooLarge(config, { train: count, test: test.images.count }, threads)
  const { engines, refusals } =
    config.device === 'auto'
      ? await usableEngines(config, threads)
      : { engines: [await engineOf(config.device, config, threads)], refusals: [] }
  for (const { reason } of refusals) writeMessage(`not measured: ${reason}`)
  writeMessage(`measuring ${engines.map(({ device }) => device).join(', ')} …`)
  const gigaflop = (flopPerImage(config.model) * count) / 1e9
  const job: Job = { config, images, count, gigaflop, threads, rounds }
  const measurements = await measureEngines(engines, job)
  if (flags.json) writeJson(asJson(measurements, job, refusals))
  else writeResult(asText(measurements, job))
}

/** A device that cannot train on this machine. */
interface Refusal {
  readonly device: Device
  readonly reason: string
}

async function usableEngines(config: Config, threads: number) {
  const engines: Engine[] = []
  const refusals: Refusal[] = []
  for (const device of devices.filter((each) => each !== 'auto')) {
    try {
      engines.push(await engineOf(device, config, threads))
    } catch (error) {
      if (!(error instanceof EigenaeError)) throw error
      refusals.push({ device, reason: firstLine(error) })
    }
  }
  if (engines.length > 0) return { engines, refusals }
  const details = refusals.map(({ reason }) => reason)
  throw new EigenaeError({ problem: 'no device can train here', details })
}

async function engineOf(device: Device, config: Config, threads: number): Promise<Engine> {
  return (await selectEngine(device, { spec: trainerSpec(config, 1, threads) })).engine
}

interface Measurement {
  readonly engine: Engine
  /** Seconds of each round's epoch. */
  readonly seconds: readonly number[]
  readonly median: number
  readonly gigaflops: number
  /** The device's peak in GFLOP/s, measured between the epochs; null if its engine cannot measure it. */
  readonly peak: number | null
}

/** Trains one epoch per device in turn, so that a slow moment of the machine affects all, after a warm-up epoch each. */
async function measureEngines(engines: readonly Engine[], job: Job): Promise<readonly Measurement[]> {
  const { config, images, count, gigaflop, threads, rounds } = job
  const contenders: { engine: Engine; trainer: Trainer; seconds: number[]; peaks: number[] }[] = []
  try {
    for (const engine of engines) {
      const trainer = await engine.createTrainer(trainerSpec(config, count, threads), images)
      contenders.push({ engine, trainer, seconds: [], peaks: [] })
      await trainTimed(trainer, 1)
    }
    for (let round = 1; round <= rounds; round++) {
      for (const { engine, trainer, seconds, peaks } of contenders) {
        const peak = await engine.measurePeak?.(threads)
        if (peak !== undefined) peaks.push(peak)
        seconds.push(await trainTimed(trainer, round + 1))
      }
    }
  } finally {
    for (const { trainer } of contenders) await trainer.dispose()
  }
  return contenders.map(({ engine, seconds, peaks }) => {
    const median = medianOf(seconds)
    const peak = peaks.length === 0 ? null : medianOf(peaks)
    return { engine, seconds, median, gigaflops: gigaflop / median, peak }
  })
}

/** Trains an epoch. Returns its duration in seconds. */
async function trainTimed(trainer: Trainer, epoch: number): Promise<number> {
  const started = performance.now()
  await trainer.trainEpoch(epoch, () => {}, new AbortController().signal)
  return (performance.now() - started) / 1000
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const header = ['device', 'engine', 's/epoch', 'images/s', 'GFLOP/s', 'peak', 'share of floor']
const alignments = ['left', 'left', 'right', 'right', 'right', 'right', 'right'] as const
const note =
  'GFLOP counts every product; cpu and wasm skip products with a zero of a rectifier, so a share can exceed 100 %.'

function asText(measurements: readonly Measurement[], job: Job): string {
  const { config, count, gigaflop, threads, rounds } = job
  const description = [
    `${config.name}: ${count} images`,
    `batch ${config.train.batchSize}`,
    `${gigaflop.toFixed(2)} GFLOP an epoch`,
    `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    `median of ${rounds} ${rounds === 1 ? 'epoch' : 'epochs'}`,
  ]
  const rows = [...measurements]
    .sort((a, b) => a.median - b.median)
    .map(({ engine, median, gigaflops, peak }) => [
      engine.device,
      `${engine.name} ${engine.variant}`,
      median.toFixed(3),
      thousands(count / median),
      gigaflops.toFixed(1),
      peak === null ? '–' : peak.toFixed(1),
      peak === null ? '–' : `${((100 * gigaflops) / peak).toFixed(0)} %`,
    ])
  return `${description.join(', ')}\n${alignedTable(rows, alignments, header)}\n${note}`
}

function asJson(measurements: readonly Measurement[], job: Job, refusals: readonly Refusal[]) {
  const { config, count, gigaflop, threads, rounds } = job
  return {
    config: config.name,
    images: count,
    batch_size: config.train.batchSize,
    flop_per_image: flopPerImage(config.model),
    threads,
    rounds,
    devices: measurements.map(({ engine, seconds, median, gigaflops, peak }) => ({
      device: engine.device,
      engine: engine.name,
      variant: engine.variant,
      seconds,
      images_per_second: count / median,
      gigaflops,
      peak_gigaflops: peak,
      floor_seconds: peak && gigaflop / peak,
      share_of_floor: peak && gigaflops / peak,
    })),
    not_measured: refusals,
  }
}
