import type { Config } from '../config/schema.js'
import type { DataSet } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { jsonText, type RunFiles, writeAtomically } from '../runs/files.js'
import { readMetrics } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'
import { measureLinearProbe, measureSpectrum } from './evaluate.js'

/** evaluation.json: the last epoch's metrics, the spectrum they rest on, and the linear probe. */
export interface FinalEvaluation {
  readonly metrics: MetricsRow
  readonly spectrum: {
    readonly singular_values: readonly number[]
    readonly singular_shares: readonly number[]
    readonly eigenvalues: readonly number[]
    readonly eigen_shares: readonly number[]
  }
  /** Share of the test images, 0 to 1. */
  readonly linear_probe_accuracy: number
}

export async function writeFinalEvaluation(
  files: RunFiles,
  trainer: Trainer,
  config: Config,
  data: DataSet,
): Promise<FinalEvaluation> {
  const spectrum = await measureSpectrum(trainer, config, data)
  const evaluation: FinalEvaluation = {
    metrics: (await readMetrics(files.metrics)).at(-1)!,
    spectrum: {
      singular_values: spectrum.singularValues,
      singular_shares: spectrum.singularShares,
      eigenvalues: spectrum.eigenvalues,
      eigen_shares: spectrum.eigenShares,
    },
    linear_probe_accuracy: await measureLinearProbe(trainer, config, data),
  }
  await writeAtomically(files.evaluation, jsonText(evaluation))
  return evaluation
}
