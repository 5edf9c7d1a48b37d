// The rows that an epoch adds to a run's tables.
import type { Config } from '../config/schema.js'
import { eigenLossesOf, nameOf } from '../eigen-losses/index.js'
import { type EpochEvaluation, type EpochLosses, type LayerMeasures, loggedValues } from '../runs/metrics.js'
import type { LayersRow, LossesRow, MetricsRow, SpectrumRow } from '../runs/tables.js'
import type { Spectrum } from '../spectrum/spectrum.js'

export function metricsRow(
  epoch: number,
  losses: EpochLosses,
  evaluation: EpochEvaluation,
  layers: readonly LayerMeasures[],
): MetricsRow {
  const values = Object.entries(loggedValues(losses, evaluation, layers))
  const row = Object.fromEntries(values.map(([name, value]) => [name, value ?? Number.NaN]))
  return { epoch, ...row } as MetricsRow
}

/** One row per dimension, the largest singular value first. */
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

export function layersRows(epoch: number, layers: readonly LayerMeasures[]): readonly LayersRow[] {
  return layers.map(({ layer, width, deadUnits, effectiveRank, meanVariance }) => ({
    epoch,
    layer,
    width,
    dead_units: deadUnits,
    effective_rank: effectiveRank,
    mean_variance: meanVariance,
  }))
}

/** One row per eigen loss. They are numbered from 1, in the order of the config. */
export function lossesRows(epoch: number, losses: EpochLosses, { loss }: Config): readonly LossesRow[] {
  return eigenLossesOf(loss.eigen).map((eigenLoss, index) => ({
    epoch,
    term: index + 1,
    kind: nameOf(eigenLoss),
    weight: losses.weights[index]!,
    value: losses.terms[index]!.value,
    weighted: losses.terms[index]!.weighted,
  }))
}
