import type { Config } from '../config/schema.js'
import type { Losses, TermLoss } from '../engines/engine.js'
import { latentDimension } from '../model/architecture.js'
import type { Spectrum } from '../spectrum/spectrum.js'
import { percent, share, significant } from '../text/format.js'

/** The errors of a model on a set of images. */
export interface Errors {
  /** Mean squared error, clean input. */
  readonly mse: number
  /** Mean squared error, noisy input and clean target. All runs have the same noise. */
  readonly denoiseMse: number
}

/** The errors and the spectrum of a model on a set of images: after each epoch, and in `eval`. */
export interface Evaluation extends Errors {
  readonly spectrum: Spectrum
}

/** The evaluation of an epoch. */
export interface EpochEvaluation extends Evaluation {
  /** On the images held out from train; null if there are none. */
  readonly validation: Errors | null
}

/** Accuracies of two classifiers on the embedding, as shares of the measured images; null if unknown. */
export interface KnownAccuracies {
  readonly linearProbeAccuracy: number | null
  readonly neighbourAccuracy: number | null
}

/** The parts of a run that hold its metrics: the rows of metrics.csv, the accuracies in evaluation.json, and the config. */
export interface MeasuredRun extends KnownAccuracies {
  readonly metrics: readonly Readonly<Record<string, number>>[]
  /** Null if it is unknown. */
  readonly config: Pick<Config, 'model'> | null
}

/** A hidden layer on the images of the spectrum: a row of layers.csv. */
export interface LayerMeasures {
  /** As in model.safetensors: "encoder.0". */
  readonly layer: string
  readonly width: number
  /** Units that are 0 on all images. */
  readonly deadUnits: number
  /** The effective rank of the linear map's output, as for a spectrum; NaN for layers over 512 units. */
  readonly effectiveRank: number
  /** Variance over the images of the linear map's output, its mean over the units. */
  readonly meanVariance: number
}

/** The means over an epoch that the trainer does not know. */
export interface EpochLosses extends Losses {
  readonly learningRate: number
  /** Weight of each eigen loss. */
  readonly weights: readonly number[]
}

type Direction = 'lower' | 'higher'

interface Presentation {
  /** For axes and tables of comparisons. */
  readonly title: string
  /** For columns and lines of `train`, `eval` and `runs`. `eval` omits "test", because it can measure other images. */
  readonly label: string
  /** By default with significant digits. */
  readonly format?: (value: number) => string
  /** Whether the value is a number of dimensions out of the latent size: "3.12 of 10". */
  readonly ofLatent?: true
  /** Whether values are comparable only between latents of the same size. */
  readonly bySize?: true
  /** The possible values; from 0 on if undefined. "latent" is the latent size. */
  readonly range?: readonly [low: number, high: number | 'latent']
  /** Which values are better; null if that depends on the loss. */
  readonly better: Direction | null
  /** Whether `compare` prints it without --metric. */
  readonly main?: true
  /** Whether `runs` lists it. */
  readonly listed?: true
}

/**
 * Where a metric's value comes from. Those of `losses`, `evaluation`, `validation` and `layers` are columns of metrics.csv, whose last row
 * counts in comparisons. `eval` measures those of `evaluation` and `accuracies`. Those of `run` are derived, so older runs have them.
 */
type Source =
  | { readonly of: 'losses'; readonly value: (losses: EpochLosses) => number | null }
  | { readonly of: 'evaluation'; readonly value: (evaluation: Evaluation) => number }
  | { readonly of: 'validation'; readonly value: (errors: Errors) => number }
  | { readonly of: 'layers'; readonly value: (layers: readonly LayerMeasures[]) => number }
  | { readonly of: 'accuracies'; readonly value: (accuracies: KnownAccuracies) => number | null }
  | { readonly of: 'run'; readonly value: (run: MeasuredRun) => number | null }

/** Returns a single eigen loss without its weight; of several, the sum with their weights; null if none was computed. */
function eigenLossOf(terms: readonly TermLoss[]): number | null {
  const [first, ...others] = terms
  if (first === undefined) return 0
  if (terms.every(({ value }) => Number.isNaN(value))) return null
  return others.length === 0 ? first.value : terms.reduce((sum, { weighted }) => sum + weighted, 0)
}

/** All metrics, in the order of columns and tables. To add a metric, add a row. */
const metricTable = {
  train_loss: {
    of: 'losses',
    title: 'training loss, eigen loss included',
    label: 'training loss',
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    better: null,
    value: ({ loss }) => loss,
  },
  train_mse: {
    of: 'losses',
    title: 'training MSE, noisy input',
    label: 'training MSE',
    better: 'lower',
    value: ({ mse }) => mse,
  },
  train_eigen: {
    of: 'losses',
    title: 'eigen loss on the training batches',
    label: 'eigen loss',
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    better: null,
    value: ({ terms }) => eigenLossOf(terms),
  },
  test_mse: {
    of: 'evaluation',
    title: 'test MSE, clean input',
    label: 'test MSE',
    better: 'lower',
    main: true,
    listed: true,
    value: ({ mse }) => mse,
  },
  test_denoise_mse: {
    of: 'evaluation',
    title: 'test MSE, noisy input',
    label: 'noisy test MSE',
    better: 'lower',
    main: true,
    value: ({ denoiseMse }) => denoiseMse,
  },
  // The area under the learning curve, each epoch of width 1: small if the loss falls fast and far.
  test_mse_over_epochs: {
    of: 'run',
    title: 'test MSE, mean over the epochs',
    label: 'test MSE over epochs',
    better: 'lower',
    main: true,
    value: ({ metrics }) => metrics.reduce((sum, row) => sum + row.test_mse!, 0) / metrics.length,
  },
  top_share: {
    of: 'evaluation',
    title: 'largest share σ₁/Σσ',
    label: 'σ₁/Σσ',
    format: share,
    range: [0, 1],
    bySize: true,
    better: 'lower',
    main: true,
    value: ({ spectrum }) => spectrum.singularShares[0]!,
  },
  effective_rank: {
    of: 'evaluation',
    title: 'effective rank',
    label: 'effective rank',
    format: (rank) => rank.toFixed(2),
    ofLatent: true,
    range: [1, 'latent'],
    bySize: true,
    better: 'higher',
    main: true,
    listed: true,
    value: ({ spectrum }) => spectrum.effectiveRank,
  },
  rank_share: {
    of: 'run',
    title: 'effective rank over d',
    label: 'rank share',
    format: share,
    range: [0, 1],
    better: 'higher',
    value: ({ metrics, config }) =>
      config && metrics.length > 0 ? metrics.at(-1)!.effective_rank! / latentDimension(config.model) : null,
  },
  dead_dimensions: {
    of: 'evaluation',
    title: 'dead dimensions',
    label: 'dead dimensions',
    format: String,
    range: [0, 'latent'],
    better: 'lower',
    main: true,
    value: ({ spectrum }) => spectrum.deadDimensions,
  },
  validation_mse: {
    of: 'validation',
    title: 'validation MSE, clean input',
    label: 'validation MSE',
    better: 'lower',
    value: ({ mse }) => mse,
  },
  validation_denoise_mse: {
    of: 'validation',
    title: 'validation MSE, noisy input',
    label: 'noisy validation MSE',
    better: 'lower',
    value: ({ denoiseMse }) => denoiseMse,
  },
  dead_units: {
    of: 'layers',
    title: 'dead hidden units',
    label: 'dead units',
    format: String,
    better: 'lower',
    main: true,
    value: (layers) => layers.reduce((sum, { deadUnits }) => sum + deadUnits, 0),
  },
  learning_rate: {
    of: 'losses',
    title: 'learning rate, mean over the epoch',
    label: 'learning rate',
    better: null,
    value: ({ learningRate }) => learningRate,
  },
  linear_probe_accuracy: {
    of: 'accuracies',
    title: 'linear probe accuracy',
    label: 'linear probe',
    format: percent,
    range: [0, 1],
    better: 'higher',
    main: true,
    value: ({ linearProbeAccuracy }) => linearProbeAccuracy,
  },
  neighbour_accuracy: {
    of: 'accuracies',
    title: '5-NN accuracy',
    label: '5-NN',
    format: percent,
    range: [0, 1],
    better: 'higher',
    main: true,
    value: ({ neighbourAccuracy }) => neighbourAccuracy,
  },
} as const satisfies Readonly<Record<string, Presentation & Source>>

export type Metric = keyof typeof metricTable
export const metrics = Object.keys(metricTable) as readonly Metric[]

const loggedSources = ['losses', 'evaluation', 'validation', 'layers'] as const

/** The metrics that are columns of metrics.csv. */
export type LoggedMetric = {
  [Name in Metric]: (typeof metricTable)[Name]['of'] extends (typeof loggedSources)[number] ? Name : never
}[Metric]
export const loggedMetrics = metrics.filter((name): name is LoggedMetric =>
  (loggedSources as readonly string[]).includes(metricTable[name].of),
)

/** The metrics that are measured only if the config asks for it. Their fields are empty otherwise. */
export const optionalMetrics = metrics.filter((name) => metricTable[name].of === 'validation')

/** The metrics of a trained model on its own: `eval` measures them, and `train` prints them at its end. */
export const modelMetrics = metrics.filter((name) =>
  ['evaluation', 'accuracies'].includes(metricTable[name].of),
)

export const listedMetrics = metrics.filter((name) => meaningOf(name).listed)

export function meaningOf(metric: Metric): Required<Pick<Presentation, 'format'>> & Presentation & Source {
  return { format: significant, ...metricTable[metric] }
}

/** Returns the lowest and the highest possible value of a metric. */
export function rangeOf(metric: Metric, latent: number): readonly [low: number, high: number] {
  const [low, high] = meaningOf(metric).range ?? [0, Number.POSITIVE_INFINITY]
  return [low, high === 'latent' ? latent : high]
}

/** Whether a metric judges the network by its results on test images. */
export function isTestMetric(metric: Metric): boolean {
  return metric.startsWith('test_') || meaningOf(metric).of === 'accuracies'
}

/** Returns a metric's value in a run, null if the run lacks it. */
export function metricOf(run: MeasuredRun, metric: Metric): number | null {
  const entry = meaningOf(metric)
  if (entry.of === 'accuracies') return finiteOrNull(entry.value(run))
  if (entry.of === 'run') return finiteOrNull(entry.value(run))
  return finiteOrNull(run.metrics.at(-1)?.[metric])
}

function finiteOrNull(value: number | null | undefined): number | null {
  return Number.isFinite(value) ? value! : null
}

/** Returns a metric of a model that was just evaluated. */
export function metricOfModel(model: Evaluation & KnownAccuracies, metric: Metric): number | null {
  const entry = meaningOf(metric)
  if (entry.of === 'evaluation') return entry.value(model)
  return entry.of === 'accuracies' ? entry.value(model) : null
}

/** Returns the columns of metrics.csv for an epoch; null if not measured. */
export function loggedValues(
  losses: EpochLosses,
  evaluation: EpochEvaluation,
  layers: readonly LayerMeasures[],
): Readonly<Record<LoggedMetric, number | null>> {
  const logged = (name: LoggedMetric): number | null => {
    const entry = metricTable[name]
    if (entry.of === 'losses') return entry.value(losses)
    if (entry.of === 'evaluation') return entry.value(evaluation)
    if (entry.of === 'layers') return entry.value(layers)
    return evaluation.validation && entry.value(evaluation.validation)
  }
  return Object.fromEntries(loggedMetrics.map((name) => [name, logged(name)])) as Readonly<
    Record<LoggedMetric, number | null>
  >
}

/** Returns a value as text, "–" if it is null. @param latent adds the latent size to metrics that are a part of it */
export function formatMetric(metric: Metric, value: number | null, latent?: number): string {
  const { format, ofLatent } = meaningOf(metric)
  if (value === null) return '–'
  return ofLatent && latent !== undefined ? `${format(value)} of ${latent}` : format(value)
}
