import type { Config } from '../config/schema.js'
import type { ImageSet } from '../data/idx.js'
import { type DataSet, firstImages, type Split } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { latentDimension } from '../model/architecture.js'
import type { EpochEvaluation } from '../runs/metrics.js'
import { type Spectrum, spectrumOf, tooFewImages } from '../spectrum/spectrum.js'
import { type LabelledEmbedding, linearProbeAccuracy, type Scoring } from './linear-probe.js'
import { nearestNeighbourAccuracy } from './nearest-neighbours.js'

/** Names the noise of the evaluation: the same for all seeds, so that runs are compared on the same input. */
const evaluationSeed = 0

export async function evaluateEpoch(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  signal?: AbortSignal,
): Promise<EpochEvaluation> {
  const { mse, denoiseMse } = await measureErrors(trainer, data.test.images, config.data.noise, signal)
  const spectrum = await measureSpectrum(trainer, config, data, signal)
  return { testMse: mse, testDenoiseMse: denoiseMse, spectrum }
}

async function measureErrors(
  trainer: Trainer,
  { pixels }: ImageSet,
  deviation: number,
  signal?: AbortSignal,
) {
  return {
    mse: await trainer.meanSquaredError(pixels, null, signal),
    denoiseMse: await trainer.meanSquaredError(pixels, { seed: evaluationSeed, deviation }, signal),
  }
}

/** What to say of a spectrum that rests on too few images; null elsewhere. */
export function spectrumDoubt({ model, spectrum }: Config, data: DataSet): string | null {
  const images = Math.min(spectrum.images, data[spectrum.split].images.count)
  return tooFewImages(images, latentDimension(model), spectrum.center)
}

/** Of the embedding of the first `spectrum.images` images of the split. */
export async function measureSpectrum(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  signal?: AbortSignal,
): Promise<Spectrum> {
  return spectrumOfEmbedding(await embedForSpectrum(trainer, config, data, signal), config, signal)
}

export function embedForSpectrum(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { split, images } = config.spectrum
  const { pixels, pixelsPerImage } = data[split].images
  return trainer.encode(pixels.subarray(0, images * pixelsPerImage), signal)
}

export function spectrumOfEmbedding(
  embedding: Float32Array,
  { model, spectrum }: Config,
  signal?: AbortSignal,
): Promise<Spectrum> {
  return spectrumOf(embedding, latentDimension(model), spectrum.center, signal)
}

async function embed(
  trainer: Trainer,
  { images, labels }: Split,
  signal?: AbortSignal,
): Promise<LabelledEmbedding> {
  return { embedding: await trainer.encode(images.pixels, signal), labels }
}

/** What the accuracies are computed with. */
export interface AccuracyEffort {
  readonly threads: number
  readonly signal?: AbortSignal
}

/** Shares of the measured images, 0 to 1, whose label the embedding gives, each fitted on `data.train`. */
export interface Accuracies {
  readonly linearProbeAccuracy: number
  readonly neighbourAccuracy: number
}

export async function measureAccuracies(
  trainer: Trainer,
  { model }: Config,
  data: DataSet,
  measured: Split,
  scoring: Scoring,
  effort: AccuracyEffort,
): Promise<Accuracies> {
  const latent = latentDimension(model)
  const train = await embed(trainer, data.train, effort.signal)
  const scored = await embed(trainer, measured, effort.signal)
  return {
    linearProbeAccuracy: await linearProbeAccuracy(train, scored, latent, scoring, effort.signal),
    neighbourAccuracy: await nearestNeighbourAccuracy(train, scored, { latent, scoring, ...effort }),
  }
}

/** What to measure a trained model on; null is what the run's config says. */
export interface EvaluationChoice {
  /** Whose first images are measured, the spectrum's included; null: test, and the spectrum as in the config. */
  readonly split: 'train' | 'test' | null
  /** How many of them; null: all, and of the spectrum as many as in the config. */
  readonly images: number | null
  /** Standard deviation of the noise of the noisy input. */
  readonly noise: number | null
}

export interface ModelEvaluation extends Accuracies {
  readonly split: 'train' | 'test'
  readonly images: number
  readonly noise: number
  readonly mse: number
  readonly denoiseMse: number
  readonly spectrum: Spectrum
}

/** The config with what is chosen in place of its spectrum's split and images. */
export function withChoice(config: Config, { split, images }: EvaluationChoice): Config {
  const { spectrum } = config
  const chosen = { split: split ?? spectrum.split, images: images ?? spectrum.images }
  return { ...config, spectrum: { ...spectrum, ...chosen } }
}

/**
 * Measures a trained model as training does. On the train split an image is left out of what its digit is told by:
 * otherwise it would be its own neighbour.
 */
export async function evaluateModel(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  choice: EvaluationChoice,
  effort: AccuracyEffort,
): Promise<ModelEvaluation> {
  const split = choice.split ?? 'test'
  const noise = choice.noise ?? config.data.noise
  const measured = firstImages(data[split], choice.images)
  const scoring = split === 'train' ? 'left-out' : 'apart'
  return {
    split,
    images: measured.images.count,
    noise,
    ...(await measureErrors(trainer, measured.images, noise, effort.signal)),
    spectrum: await measureSpectrum(trainer, withChoice(config, choice), data, effort.signal),
    ...(await measureAccuracies(trainer, config, data, measured, scoring, effort)),
  }
}
