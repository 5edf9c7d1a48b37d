import type { Config } from '../config/schema.js'
import type { ImageSet } from '../data/idx.js'
import { type DataSet, firstImages, type Split } from '../data/load.js'
import type { NetworkValues, Trainer } from '../engines/engine.js'
import { spectrumOf } from '../engines/measures.js'
import type { LabelledEmbedding } from '../engines/native/binding.js'
import { latentDimension } from '../model/architecture.js'
import type { EpochEvaluation, Errors, Evaluation } from '../runs/metrics.js'
import { type Spectrum, tooFewImages } from '../spectrum/spectrum.js'
import { linearProbeAccuracy, nearestNeighbourAccuracy, type Scoring } from './classifiers.js'
import type { TrainingData } from './training-data.js'

/** The seed of the noise in evaluations. It is the same for all seeds, so that runs are compared on the same input. */
const evaluationSeed = 0

/** The measures of a network after an epoch. */
export interface MeasuredEpoch {
  readonly evaluation: EpochEvaluation
  /** The linear outputs are those of the images of the spectrum. */
  readonly values: NetworkValues
  /** The embedding of the test split; null if it was not measured. */
  readonly testEmbedding: Float32Array | null
}

/**
 * Measures a network after an epoch. The images of the spectrum are often the first of the test split: they are then
 * measured in the pass that measures its error.
 * @param reused values that have been measured: their memory may be used for these
 */
export async function measureEpoch(
  trainer: Trainer,
  config: Config,
  data: TrainingData,
  signal: AbortSignal,
  reused: NetworkValues | undefined,
): Promise<MeasuredEpoch> {
  const { noise } = config.data
  const { images: test } = data.test
  const images = imagesForSpectrum(config, data)
  const areTest = images.buffer === test.pixels.buffer && images.byteOffset === test.pixels.byteOffset
  const rows = images.length / test.pixelsPerImage
  const values = await trainer.inspect(areTest ? test.pixels : images, rows, areTest, signal, reused)
  const errors = await measureErrors(trainer, test, noise, signal, areTest ? values.mse : undefined)
  const validation = data.validation && (await measureErrors(trainer, data.validation.images, noise, signal))
  const embedding = values.embedding.subarray(0, rows * latentDimension(config.model))
  const spectrum = await spectrumOfEmbedding(embedding, config, signal)
  const evaluation = { ...errors, validation, spectrum }
  return { evaluation, values, testEmbedding: areTest ? values.embedding : null }
}

/** @param mse the error without noise, if it is known */
async function measureErrors(
  trainer: Trainer,
  { pixels }: ImageSet,
  deviation: number,
  signal?: AbortSignal,
  mse?: number,
): Promise<Errors> {
  return {
    mse: mse ?? (await trainer.meanSquaredError(pixels, null, signal)),
    denoiseMse: await trainer.meanSquaredError(pixels, { seed: evaluationSeed, deviation }, signal),
  }
}

/** Returns a warning if the spectrum is computed from too few images, null otherwise. */
export function spectrumWarning({ model, spectrum }: Config, data: DataSet): string | null {
  const images = Math.min(spectrum.images, data[spectrum.split].images.count)
  return tooFewImages(images, latentDimension(model), spectrum.center)
}

/** Returns the spectrum of the embedding of the first `spectrum.images` images of the split. */
export async function measureSpectrum(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  signal?: AbortSignal,
): Promise<Spectrum> {
  return spectrumOfEmbedding(await trainer.encode(imagesForSpectrum(config, data), signal), config, signal)
}

/** Returns the images of the spectrum, on which the hidden layers are measured, too. */
export function imagesForSpectrum({ spectrum: { split, images } }: Config, data: DataSet): Uint8Array {
  const { pixels, pixelsPerImage } = data[split].images
  return pixels.subarray(0, images * pixelsPerImage)
}

export function spectrumOfEmbedding(
  embedding: Float32Array,
  { model, spectrum }: Config,
  signal?: AbortSignal,
): Promise<Spectrum> {
  return spectrumOf(embedding, latentDimension(model), spectrum.center, signal)
}

interface AccuracyOptions {
  readonly threads: number
  readonly signal?: AbortSignal
}

/** Shares of the measured images, 0 to 1, that a classifier on the embedding labels correctly, fitted on `data.train`. */
interface Accuracies {
  readonly linearProbeAccuracy: number
  readonly neighbourAccuracy: number
}

/** @param embedding that of the measured images, if it is known */
export async function measureAccuracies(
  trainer: Trainer,
  { model }: Config,
  data: DataSet,
  measured: Split,
  scoring: Scoring,
  options: AccuracyOptions,
  embedding?: Float32Array | null,
): Promise<Accuracies> {
  const latent = latentDimension(model)
  const embed = async (
    { images, labels }: Split,
    known?: Float32Array | null,
  ): Promise<LabelledEmbedding> => ({
    embedding: known ?? (await trainer.encode(images.pixels, options.signal)),
    labels,
  })
  const [train, scored] = [await embed(data.train), await embed(measured, embedding)]
  const [linearProbe, neighbours] = await Promise.all([
    linearProbeAccuracy(train, scored, latent, scoring, options.signal),
    nearestNeighbourAccuracy(train, scored, { latent, scoring, ...options }),
  ])
  return { linearProbeAccuracy: linearProbe, neighbourAccuracy: neighbours }
}

/** The data on which a trained model is measured. */
interface EvaluationChoice {
  /** The split for all figures; null for the test split, and for the spectrum the config's. */
  readonly split: 'train' | 'test' | null
  /** The number of first images for all figures; null for all, and for the spectrum the config's number. */
  readonly images: number | null
  /** Standard deviation of the noise on the input; null for the config's. */
  readonly noise: number | null
}

export interface ModelEvaluation extends Evaluation, Accuracies {
  readonly split: 'train' | 'test'
  readonly images: number
  readonly noise: number
}

/** Returns the config with the chosen split and images for its spectrum. */
export function withChoice(config: Config, { split, images }: EvaluationChoice): Config {
  const { spectrum } = config
  const chosen = { split: split ?? spectrum.split, images: images ?? spectrum.images }
  return { ...config, spectrum: { ...spectrum, ...chosen } }
}

/**
 * Measures a trained model as training does. On the train split, each image is left out of the classifiers that label
 * it: otherwise it would be its own nearest neighbour.
 */
export async function evaluateModel(
  trainer: Trainer,
  config: Config,
  data: DataSet,
  choice: EvaluationChoice,
  options: AccuracyOptions,
): Promise<ModelEvaluation> {
  const split = choice.split ?? 'test'
  const noise = choice.noise ?? config.data.noise
  const measured = firstImages(data[split], choice.images)
  const scoring = split === 'train' ? 'left-out' : 'apart'
  return {
    split,
    images: measured.images.count,
    noise,
    ...(await measureErrors(trainer, measured.images, noise, options.signal)),
    spectrum: await measureSpectrum(trainer, withChoice(config, choice), data, options.signal),
    ...(await measureAccuracies(trainer, config, data, measured, scoring, options)),
  }
}
