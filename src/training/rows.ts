import type { Losses } from '../engines/engine.js'
import type { MetricsRow, SpectrumRow } from '../runs/tables.js'
import type { Spectrum } from '../spectrum/spectrum.js'
import type { EpochEvaluation } from './evaluate.js'

export function metricsRow(epoch: number, losses: Losses, evaluation: EpochEvaluation): MetricsRow {
  const { spectrum } = evaluation
  return {
    epoch,
    train_loss: losses.loss,
    train_mse: losses.mse,
    train_eigen: losses.penalty,
    test_mse: evaluation.testMse,
    test_denoise_mse: evaluation.testDenoiseMse,
    top_share: spectrum.singularShares[0]!,
    effective_rank: spectrum.effectiveRank,
    dead_dimensions: spectrum.deadDimensions,
  }
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
