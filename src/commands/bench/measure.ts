import type { Config } from '../../config/schema.js'
import type { Engine, Trainer } from '../../engines/engine.js'
import { inputDimension } from '../../model/architecture.js'
import { trainerSpec } from '../../training/spec.js'
import { flopPerImage } from './floor.js'

export interface Job {
  readonly config: Config
  /** [count][inputs] */
  readonly images: Uint8Array
  readonly threads: number
  readonly rounds: number
}

export interface Measurement {
  readonly engine: Engine
  /** Of each round's epoch. */
  readonly seconds: readonly number[]
  readonly imagesPerSecond: number
  readonly gigaflops: number
  /** What the device can at most, GFLOP/s, as it was beside the epochs; null where its engine cannot tell. */
  readonly peak: number | null
  /** What the job takes at the peak; null without one. */
  readonly floorSeconds: number | null
}

/** One epoch a device in turn, so that a slow moment of the machine meets all; a first one each is not counted. */
export async function measureDevices(engines: readonly Engine[], job: Job): Promise<readonly Measurement[]> {
  const contenders: Contender[] = []
  try {
    for (const engine of engines) contenders.push(await enter(engine, job))
    for (let round = 1; round <= job.rounds; round++) {
      for (const contender of contenders) await runRound(contender, round + 1, job.threads)
    }
    return contenders.map((contender) => summarise(contender, job))
  } finally {
    for (const { trainer } of contenders) await trainer.dispose()
  }
}

interface Contender {
  readonly engine: Engine
  readonly trainer: Trainer
  readonly seconds: number[]
  readonly peaks: number[]
}

async function enter(engine: Engine, { config, images, threads }: Job): Promise<Contender> {
  const trainer = await engine.createTrainer(trainerSpec(config, threads), images)
  await secondsOfEpoch(trainer, 1)
  return { engine, trainer, seconds: [], peaks: [] }
}

async function runRound({ engine, trainer, seconds, peaks }: Contender, epoch: number, threads: number) {
  const peak = await engine.measurePeak?.(threads)
  if (peak !== undefined) peaks.push(peak)
  seconds.push(await secondsOfEpoch(trainer, epoch))
}

function summarise({ engine, seconds, peaks }: Contender, { config, images }: Job): Measurement {
  const count = images.length / inputDimension(config.model)
  const gigaflop = (flopPerImage(config.model) * count) / 1e9
  const typical = median(seconds)
  const peak = peaks.length === 0 ? null : median(peaks)
  return {
    engine,
    seconds,
    imagesPerSecond: count / typical,
    gigaflops: gigaflop / typical,
    peak,
    floorSeconds: peak && gigaflop / peak,
  }
}

export async function secondsOfEpoch(trainer: Trainer, epoch: number): Promise<number> {
  const started = performance.now()
  await trainer.trainEpoch(epoch, () => {}, new AbortController().signal)
  return (performance.now() - started) / 1000
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
