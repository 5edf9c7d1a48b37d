import type { Device } from '../../config/schema.js'
import { inputDimension } from '../../model/architecture.js'
import { thousands } from '../../text/format.js'
import { writeJson, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'
import { flopPerImage } from './floor.js'
import { type Job, type Measurement, median } from './measure.js'

/** A device that cannot train here. */
export interface Refusal {
  readonly device: Device
  readonly reason: string
}

export function writeMeasurements(
  measurements: readonly Measurement[],
  job: Job,
  refusals: readonly Refusal[],
  json: boolean,
): void {
  if (json) writeJson(asJson(measurements, job, refusals))
  else writeResult(asText(measurements, job))
}

const header = ['device', 'engine', 's/epoch', 'images/s', 'GFLOP/s', 'peak', 'share of floor']
const alignments = ['left', 'left', 'right', 'right', 'right', 'right', 'right'] as const

function asText(measurements: readonly Measurement[], { config, images, threads, rounds }: Job): string {
  const count = images.length / inputDimension(config.model)
  const gigaflop = (flopPerImage(config.model) * count) / 1e9
  const what = [
    `${config.name}: ${count} images`,
    `batch ${config.train.batchSize}`,
    `${gigaflop.toFixed(2)} GFLOP an epoch`,
    `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    `median of ${rounds} ${rounds === 1 ? 'epoch' : 'epochs'}`,
  ]
  const fastestFirst = [...measurements].sort((a, b) => b.imagesPerSecond - a.imagesPerSecond)
  return `${what.join(', ')}\n${alignedTable(fastestFirst.map(row), alignments, header)}\n${remark}`
}

const remark =
  'GFLOP count every product; cpu and wasm leave out those with a zero of a rectifier, so a share may pass 100 %.'

function row({ engine, seconds, imagesPerSecond, gigaflops, peak }: Measurement): readonly string[] {
  return [
    engine.device,
    `${engine.name} ${engine.variant}`,
    median(seconds).toFixed(3),
    thousands(imagesPerSecond),
    gigaflops.toFixed(1),
    peak === null ? '–' : peak.toFixed(1),
    peak === null ? '–' : `${((100 * gigaflops) / peak).toFixed(0)} %`,
  ]
}

function asJson(measurements: readonly Measurement[], job: Job, refusals: readonly Refusal[]) {
  const { config, images, threads, rounds } = job
  return {
    config: config.name,
    images: images.length / inputDimension(config.model),
    batch_size: config.train.batchSize,
    flop_per_image: flopPerImage(config.model),
    threads,
    rounds,
    devices: measurements.map(({ engine, seconds, imagesPerSecond, gigaflops, peak, floorSeconds }) => ({
      device: engine.device,
      engine: engine.name,
      variant: engine.variant,
      seconds,
      images_per_second: imagesPerSecond,
      gigaflops,
      peak_gigaflops: peak,
      floor_seconds: floorSeconds,
      share_of_floor: peak && gigaflops / peak,
    })),
    not_measured: refusals,
  }
}
