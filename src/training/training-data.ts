import type { Config } from '../config/schema.js'
import { type DataSet, firstImages, loadDataSet } from '../data/load.js'
import { usageError } from '../errors.js'
import { type Architecture, inputDimension, latentDimension } from '../model/architecture.js'

/**
 * The config's data set, its train split cut to `data.limit`.
 * @throws a usage error, before anything is written, where the data and the config do not fit each other.
 */
export async function loadTrainingData(config: Config): Promise<DataSet> {
  const data = await loadDataOf(config)
  refuseUselessBatches(data.train.images.count, config)
  return data
}

/** What a run of this config trains and is measured on. */
export async function loadDataOf(config: Config): Promise<DataSet> {
  const { source, limit } = config.data
  const whole = await loadDataFor(config.model, source, `data.source ${source}`)
  const { count } = whole.train.images
  if (limit !== null && limit > count)
    throw usageError({
      what: `is ${limit}, but there are only ${count} images`,
      where: 'data.limit',
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
    throw usageError({ what: `its images have ${pixels} pixels, the network takes ${inputs}`, where })
  }
  return data
}

function refuseUselessBatches(count: number, { model, loss, train }: Config): void {
  const latent = latentDimension(model)
  if (loss.eigen !== null && count <= latent) {
    throw usageError({
      what: `${count} images are never more than the bottleneck's ${latent} dimensions, as an eigen loss needs`,
      where: 'data.limit',
    })
  }
  if (model.batchNorm !== 'none' && count % train.batchSize === 1) {
    throw usageError({
      what: `the last batch of ${count} images in batches of ${train.batchSize} has one image, which has no variance for batch norm`,
      where: 'train.batchSize',
      hint: 'Choose another batch size, or another data.limit.',
    })
  }
}
