import type { Losses } from '../engines/engine.js'
import { type EpochEvaluation, type LoggedMetric, loggedMetrics, metricTable } from '../runs/metrics.js'
import type { MetricsRow, SpectrumRow } from '../runs/tables.js'
import type { Spectrum } from '../spectrum/spectrum.js'

export function metricsRow(epoch: number, losses: Losses, evaluation: EpochEvaluation): MetricsRow {
  const values = loggedMetrics.map((name) => [name, metricTable[name].value(losses, evaluation)])
  return { epoch, ...(Object.fromEntries(values) as Record<LoggedMetric, number>) }
}

/** One row a dimension, the largest singular value first. */
export function spectrumRows(epoch: number, spectrum: Spectrum): readonly SpectrumRow[] {
  return spectrum.singularValues.map((value, index) => ({
    epoch,
    rank: index + 1,
    singular_value: value,
    singular_share: spectrum.singularShares[index]!,
    eigenvalue: spectrum.eigenvalues[index]!,
    eigen_share: spectrum.eigenShares[index]!,
  }))
}
