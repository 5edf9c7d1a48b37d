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
import { type ErrorParts, usageError } from '../errors.js'
import { hasBatchNorm, type ImageShape, latentDimension, shapeText } from '../model/architecture.js'
import type { RunRecord } from '../runs/record.js'

/** The parts of a run that name its data. */
interface RecordedData {
  readonly folder: string
  readonly config: Config
  readonly record: Pick<RunRecord, 'dataSource' | 'imageShape'>
}

/** Returns the absolute path in run.json if it still exists, or else the config's data.source. */
export function sourceOfRun({
  config,
  record: { dataSource },
}: Pick<RecordedData, 'config' | 'record'>): string {
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
  const whole = await loadDataSet(source)
  const mistake = widthMistake(config, source, whole.train.images.shape)
  if (mistake !== null) throw usageError(mistake)
  const data = trainingDataOf(whole, config)
  refuseUselessBatches(data.train.images.count, config)
  return data
}

/** Returns the mistake of a network whose first width is not the pixels of an image, null if it is. */
export function widthMistake({ model }: Config, source: string, shape: ImageShape): ErrorParts | null {
  const [first, ...others] = model.widths
  const pixels = shape.width * shape.height
  if (first === pixels) return null
  return {
    problem: `the first width is ${first} but the images of ${source} have ${shapeText(shape)} = ${pixels} pixels`,
    subject: 'model.widths',
    hint: `Set model.widths to ${JSON.stringify([pixels, ...others])}.`,
  }
}

/** Returns the data set that a run was trained on. */
export async function loadDataOf(run: RecordedData): Promise<TrainingData> {
  return trainingDataOf(await loadDataFor(run), run.config)
}

/**
 * Returns a data set for the model of a run, by default the one that it was trained on.
 * @throws a usage error if its images have another shape than those that the run was trained on.
 */
export async function loadDataFor(run: RecordedData, source = sourceOfRun(run)): Promise<DataSet> {
  const data = await loadDataSet(source)
  const [trained, found] = [run.record.imageShape, data.train.images.shape].map(shapeText)
  if (trained === found) return data
  throw usageError({
    problem: `the run was trained on images of ${trained} pixels, and those of ${source} have ${found}`,
    subject: run.folder,
    hint: `Use data with images of ${trained} pixels.`,
  })
}

function trainingDataOf(whole: DataSet, config: Config): TrainingData {
  const { limit, validation } = config.data
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
