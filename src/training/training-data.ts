import { existsSync } from 'node:fs'
import { eigenLossesOf, minimumImages } from '../config/eigen-losses.js'
import type { Config } from '../config/schema.js'
import {
  type DataSet,
  embeddedSource,
  firstImages,
  lastImages,
  loadDataSet,
  type Split,
} from '../data/load.js'
import { usageError } from '../errors.js'
import { hasBatchNorm, latentDimension } from '../model/architecture.js'
import type { RunRecord } from '../runs/record.js'

/** The parts of a run that name its data source. */
interface RecordedSource {
  readonly config: Config
  readonly record: Pick<RunRecord, 'dataSource'>
}

/** Returns the absolute path in run.json if it still exists, or else the config's data.source. */
export function sourceOfRun({ config, record: { dataSource } }: RecordedSource): string {
  const usable = dataSource !== undefined && (dataSource === embeddedSource || existsSync(dataSource))
  return usable ? dataSource : config.data.source
}

/** The data of a run. The train split has the images that it is trained on. */
export interface TrainingData extends DataSet {
  /** The last `data.validation` images of the whole train split; null if there are none. */
  readonly validation: Split | null
}

/**
 * Returns the data set at `source`, with the train split limited to the config's `data.limit`.
 * @throws a usage error if the data and the config do not fit each other.
 */
export async function loadTrainingData(config: Config, source: string): Promise<TrainingData> {
  const data = await loadDataAt(source, config)
  refuseUselessBatches(data.train.images.count, config)
  return data
}

/** Returns the data set that a run was trained on. */
export function loadDataOf(run: RecordedSource): Promise<TrainingData> {
  return loadDataAt(sourceOfRun(run), run.config)
}

async function loadDataAt(source: string, config: Config): Promise<TrainingData> {
  const { limit, validation } = config.data
  const whole = await loadDataSet(source)
  const { count } = whole.train.images
  if (limit !== null && limit > count)
    throw usageError({
      problem: `is ${limit}, but there are only ${count} images`,
      subject: 'data.limit',
      hint: 'Lower it, or set it to null for all of them.',
    })
  const remaining = count - validation
  if (remaining < (limit ?? 1))
    throw usageError({
      problem: `holds out ${validation} of ${count} images, which leaves ${Math.max(0, remaining)} to train on`,
      subject: 'data.validation',
      hint: limit === null ? 'Lower it.' : `Lower it, or lower data.limit (${limit}).`,
    })
  return {
    ...whole,
    train: firstImages(whole.train, limit ?? remaining),
    validation: validation === 0 ? null : lastImages(whole.train, validation),
  }
}

function refuseUselessBatches(count: number, { model, loss, train }: Config): void {
  const needed = Math.max(0, ...eigenLossesOf(loss.eigen).map((each) => minimumImages(each, model.widths)))
  const latent = latentDimension(model)
  if (count < needed) {
    const bound = needed === latent + 1 ? `more images than the latent size ${latent}` : `${needed} images`
    throw usageError({ problem: `an eigen loss needs ${bound} (got ${count})`, subject: 'data.limit' })
  }
  if (hasBatchNorm(model) && count % train.batchSize === 1) {
    throw usageError({
      problem: `the last batch of ${count} images has a single image, and batch norm needs two (batch size ${train.batchSize})`,
      subject: 'train.batchSize',
      hint: 'Choose another batch size, or another data.limit.',
    })
  }
}
