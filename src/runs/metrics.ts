import type { Losses } from '../engines/engine.js'
import type { Spectrum } from '../spectrum/spectrum.js'
import type { RunAccuracies } from './evaluation.js'

/** What is measured after each epoch. */
export interface EpochEvaluation {
  /** Mean squared error on the test images, clean input. */
  readonly testMse: number
  /** The same with noisy input, from one noise for all runs; the target stays clean. */
  readonly testDenoiseMse: number
  readonly spectrum: Spectrum
}

/** What a run holds for its metrics, the rows of metrics.csv by column. */
export interface MeasuredRun extends RunAccuracies {
  readonly metrics: readonly Readonly<Record<string, number>>[]
}

export type Direction = 'lower' | 'higher'

interface Meaning {
  /** As an axis or a table's head names it. */
  readonly title: string
  /** Which is better; null where that depends on the loss. */
  readonly better: Direction | null
  /** Shown in the terminal unless --metric chooses. */
  readonly main: boolean
}

/** A column of metrics.csv, of which a run's last is compared. */
interface EpochMetric extends Meaning {
  readonly of: 'epoch'
  readonly value: (losses: Losses, evaluation: EpochEvaluation) => number
}

/** Read from the whole run. */
interface RunMetric extends Meaning {
  readonly of: 'run'
  readonly value: (run: MeasuredRun) => number | null
}

/** Every metric, in the order of columns and tables. Another one is a row here. */
export const metricTable = {
  train_loss: {
    of: 'epoch',
    title: 'training loss, eigen loss included',
    better: null,
    main: false,
    value: ({ loss }) => loss,
  },
  train_mse: {
    of: 'epoch',
    title: 'training MSE, noisy input',
    better: 'lower',
    main: false,
    value: ({ mse }) => mse,
  },
  train_eigen: {
    of: 'epoch',
    title: 'eigen loss on the training batches',
    better: null,
    main: false,
    value: ({ eigenLoss }) => eigenLoss,
  },
  test_mse: {
    of: 'epoch',
    title: 'test MSE, clean input',
    better: 'lower',
    main: true,
    value: (_, { testMse }) => testMse,
  },
  test_denoise_mse: {
    of: 'epoch',
    title: 'test MSE, noisy input',
    better: 'lower',
    main: true,
    value: (_, { testDenoiseMse }) => testDenoiseMse,
  },
  // The area under the learning curve, an epoch wide each: small where the loss falls fast and far.
  test_mse_over_epochs: {
    of: 'run',
    title: 'test MSE, mean over the epochs',
    better: 'lower',
    main: true,
    value: ({ metrics }) => metrics.reduce((sum, row) => sum + row.test_mse!, 0) / metrics.length,
  },
  top_share: {
    of: 'epoch',
    title: 'largest share σ₁/Σσ',
    better: 'lower',
    main: true,
    value: (_, { spectrum }) => spectrum.singularShares[0]!,
  },
  effective_rank: {
    of: 'epoch',
    title: 'effective rank',
    better: 'higher',
    main: true,
    value: (_, { spectrum }) => spectrum.effectiveRank,
  },
  dead_dimensions: {
    of: 'epoch',
    title: 'dead dimensions',
    better: 'lower',
    main: true,
    value: (_, { spectrum }) => spectrum.deadDimensions,
  },
  linear_probe_accuracy: {
    of: 'run',
    title: 'linear probe accuracy',
    better: 'higher',
    main: true,
    value: ({ linearProbeAccuracy }) => linearProbeAccuracy,
  },
  neighbour_accuracy: {
    of: 'run',
    title: '5-NN accuracy',
    better: 'higher',
    main: true,
    value: ({ neighbourAccuracy }) => neighbourAccuracy,
  },
} as const satisfies Readonly<Record<string, EpochMetric | RunMetric>>

export type Metric = keyof typeof metricTable
export const metrics = Object.keys(metricTable) as readonly Metric[]

/** The metrics that are columns of metrics.csv. */
export type LoggedMetric = {
  [Name in Metric]: (typeof metricTable)[Name] extends { readonly of: 'epoch' } ? Name : never
}[Metric]
export const loggedMetrics = metrics.filter((name): name is LoggedMetric => metricTable[name].of === 'epoch')

export function meaningOf(metric: Metric): Meaning {
  return metricTable[metric]
}

/** Null where the run lacks it. */
export function metricOf(run: MeasuredRun, metric: Metric): number | null {
  const entry: EpochMetric | RunMetric = metricTable[metric]
  const value = (entry.of === 'run' ? entry.value(run) : run.metrics.at(-1)?.[metric]) ?? Number.NaN
  return Number.isFinite(value) ? value : null
}
