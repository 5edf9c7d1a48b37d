import { existsSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { type DataSet, embeddedSource, firstImages, loadDataSet } from '../data/load.js'
import { usageError } from '../errors.js'
import { type Architecture, inputDimension, latentDimension } from '../model/architecture.js'
import type { RunRecord } from '../runs/record.js'

/** What a run's folder records of where its data lies. */
interface RecordedSource {
  readonly config: Config
  readonly record: Pick<RunRecord, 'dataSource'>
}

/** Returns the absolute path in run.json if it still exists, or else the config's data.source. */
export function sourceOfRun({ config, record: { dataSource } }: RecordedSource): string {
  const usable = dataSource !== undefined && (dataSource === embeddedSource || existsSync(dataSource))
  return usable ? dataSource : config.data.source
}

/**
 * The data set at `source`, its train split cut to the config's `data.limit`.
 * @throws a usage error, before anything is written, where the data and the config do not fit each other.
 */
export async function loadTrainingData(config: Config, source: string): Promise<DataSet> {
  const data = await loadDataAt(source, config)
  refuseUselessBatches(data.train.images.count, config)
  return data
}

/** The data set that a run trained and is measured on. */
export function loadDataOf(run: RecordedSource): Promise<DataSet> {
  return loadDataAt(sourceOfRun(run), run.config)
}

async function loadDataAt(source: string, config: Config): Promise<DataSet> {
  const { limit } = config.data
  const whole = await loadDataFor(config.model, source, `data.source ${source}`)
  const { count } = whole.train.images
  if (limit !== null && limit > count)
    throw usageError({
      problem: `is ${limit}, but there are only ${count} images`,
      subject: 'data.limit',
      hint: 'Lower it, or set it to null for all of them.',
    })
  return { ...whole, train: firstImages(whole.train, limit) }
}

/** A data set for a network. @throws a usage error that says `where` it was named if its images are of another size. */
export async function loadDataFor(model: Architecture, source: string, where: string): Promise<DataSet> {
  const data = await loadDataSet(source)
  const inputs = inputDimension(model)
  for (const { pixelsPerImage: pixels } of [data.train.images, data.test.images]) {
    if (pixels === inputs) continue
    throw usageError({
      problem: `its images have ${pixels} pixels, the network takes ${inputs}`,
      subject: where,
    })
  }
  return data
}

function refuseUselessBatches(count: number, { model, loss, train }: Config): void {
  const latent = latentDimension(model)
  if (loss.eigen !== null && count <= latent) {
    throw usageError({
      problem: `${count} images are never more than the bottleneck's ${latent} dimensions, as an eigen loss needs`,
      subject: 'data.limit',
    })
  }
  if (model.batchNorm !== 'none' && count % train.batchSize === 1) {
    throw usageError({
      problem: `the last batch of ${count} images in batches of ${train.batchSize} has one image, which has no variance for batch norm`,
      subject: 'train.batchSize',
      hint: 'Choose another batch size, or another data.limit.',
    })
  }
}
