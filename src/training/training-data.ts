import type { Config } from '../config/schema.js'
import { type DataSet, loadDataSet, type Split } from '../data/load.js'
import { usageError } from '../errors.js'
import { inputDimension, latentDimension } from '../model/architecture.js'

/**
 * The config's data set, its train split cut to `data.limit`.
 * @throws a usage error, before anything is written, where the data and the config do not fit each other.
 */
export async function loadTrainingData(config: Config): Promise<DataSet> {
  const whole = await loadDataSet(config.data.source)
  for (const { images } of [whole.train, whole.test]) refuseOtherSize(images.pixelsPerImage, config)
  const train = firstImages(whole.train, config.data.limit)
  refuseUselessBatches(train.images.count, config)
  return { ...whole, train }
}

function refuseOtherSize(pixels: number, config: Config): void {
  const inputs = inputDimension(config.model)
  if (pixels === inputs) return
  throw usageError({
    what: `its images have ${pixels} pixels, the network takes ${inputs}`,
    where: `data.source ${config.data.source}`,
  })
}

function firstImages({ images, labels }: Split, limit: number | null): Split {
  if (limit === null) return { images, labels }
  if (limit > images.count) {
    throw usageError({ what: `is ${limit}, but there are only ${images.count} images`, where: 'data.limit' })
  }
  const pixels = images.pixels.subarray(0, limit * images.pixelsPerImage)
  return { images: { ...images, pixels, count: limit }, labels: labels.subarray(0, limit) }
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
      mend: 'Choose another batch size, or another data.limit.',
    })
  }
}
