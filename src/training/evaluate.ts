import type { Config } from '../config/schema.js'
import type { DataSet, Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { latentDimension } from '../model/architecture.js'
import { type Spectrum, spectrumOf } from '../spectrum/spectrum.js'
import { linearProbeAccuracy } from './linear-probe.js'

/** What is measured after each epoch. */
export interface EpochEvaluation {
  /** Mean squared error on the test images, clean input. */
  readonly testMse: number
  /** The same with noisy input, from one noise for all runs; the target stays clean. */
  readonly testDenoiseMse: number
  readonly spectrum: Spectrum
}

/** Names the noise of the evaluation: the same for all seeds, so that runs are compared on the same input. */
const evaluationSeed = 0

export async function evaluateEpoch(
  trainer: Trainer,
  config: Config,
  data: DataSet,
): Promise<EpochEvaluation> {
  const { pixels } = data.test.images
  const noise = { seed: evaluationSeed, deviation: config.data.noise }
  return {
    testMse: await trainer.meanSquaredError(pixels, null),
    testDenoiseMse: await trainer.meanSquaredError(pixels, noise),
    spectrum: await measureSpectrum(trainer, config, data),
  }
}

/** Of the embedding of the first `spectrum.images` images of the split. */
export async function measureSpectrum(trainer: Trainer, config: Config, data: DataSet): Promise<Spectrum> {
  const { split, images, center } = config.spectrum
  const { pixels, pixelsPerImage } = data[split].images
  const embedding = await trainer.encode(pixels.subarray(0, images * pixelsPerImage))
  return spectrumOf(embedding, latentDimension(config.model), center)
}

/** Share of test digits that a linear map reads off the embedding, fitted on the images that were trained on. */
export async function measureLinearProbe(trainer: Trainer, config: Config, data: DataSet): Promise<number> {
  const embed = async ({ images, labels }: Split) => ({
    embedding: await trainer.encode(images.pixels),
    labels,
  })
  const train = await embed(data.train)
  return linearProbeAccuracy(train, await embed(data.test), latentDimension(config.model))
}
