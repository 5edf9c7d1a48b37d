import type { MetricsRow } from '../runs/tables.js'

export type Direction = 'lower' | 'higher'

type LoggedMetric = Exclude<keyof MetricsRow, 'epoch'>

/** What is compared: the last epoch's row of metrics.csv, and what is read from the whole run. */
export type Metric = LoggedMetric | 'test_mse_over_epochs' | 'linear_probe_accuracy'

export interface MetricMeaning {
  /** As an axis or a table's head names it. */
  readonly title: string
  /** Which is better; null where that depends on the loss. */
  readonly better: Direction | null
  /** Shown in the terminal unless --metric chooses. */
  readonly main: boolean
}

export const metricMeanings: Readonly<Record<Metric, MetricMeaning>> = {
  train_loss: { title: 'training loss, penalty included', better: null, main: false },
  train_mse: { title: 'training MSE, noisy input', better: 'lower', main: false },
  train_eigen: { title: 'penalty on the training batches', better: null, main: false },
  test_mse: { title: 'test MSE, clean input', better: 'lower', main: true },
  test_denoise_mse: { title: 'test MSE, noisy input', better: 'lower', main: true },
  test_mse_over_epochs: { title: 'test MSE, mean over the epochs', better: 'lower', main: true },
  top_share: { title: 'largest share σ₁/Σσ', better: 'lower', main: true },
  effective_rank: { title: 'effective rank', better: 'higher', main: true },
  dead_dimensions: { title: 'dead dimensions', better: 'lower', main: true },
  linear_probe_accuracy: { title: 'linear probe accuracy', better: 'higher', main: true },
}

export const metrics = Object.keys(metricMeanings) as readonly Metric[]

/** What a run holds for its metrics. */
export interface Measured {
  readonly metrics: readonly MetricsRow[]
  readonly linearProbeAccuracy: number | null
}

/** Null where the run lacks it. */
export function metricOf({ metrics: rows, linearProbeAccuracy }: Measured, metric: Metric): number | null {
  if (metric === 'linear_probe_accuracy') return linearProbeAccuracy
  if (rows.length === 0) return null
  const value = metric === 'test_mse_over_epochs' ? meanTestMse(rows) : rows.at(-1)![metric]
  return Number.isFinite(value) ? value : null
}

/** The area under the learning curve, an epoch wide each: small where the loss falls fast and far. */
function meanTestMse(rows: readonly MetricsRow[]): number {
  return rows.reduce((sum, row) => sum + row.test_mse, 0) / rows.length
}
