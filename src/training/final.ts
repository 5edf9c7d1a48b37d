import type { Config } from '../config/schema.js'
import type { DataSet } from '../data/load.js'
import type { Trainer } from '../engines/engine.js'
import { jsonText } from '../files/json.js'
import { writeDurably } from '../files/write.js'
import type { FinalEvaluation } from '../runs/evaluation.js'
import type { RunFiles } from '../runs/files.js'
import { type FileSum, sumOf } from '../runs/integrity.js'
import { readMetrics } from '../runs/read.js'
import { type AccuracyEffort, measureAccuracies, measureSpectrum } from './evaluate.js'

export interface WrittenEvaluation {
  readonly evaluation: FinalEvaluation
  /** Of evaluation.json. */
  readonly sum: FileSum
}

export async function writeFinalEvaluation(
  files: RunFiles,
  trainer: Trainer,
  config: Config,
  data: DataSet,
  effort: AccuracyEffort,
): Promise<WrittenEvaluation> {
  const spectrum = await measureSpectrum(trainer, config, data, effort.signal)
  const accuracies = await measureAccuracies(trainer, config, data, data.test, 'apart', effort)
  const evaluation: FinalEvaluation = {
    metrics: readMetrics(files.metrics).at(-1)!,
    spectrum: {
      singular_values: spectrum.singularValues,
      singular_shares: spectrum.singularShares,
      eigenvalues: spectrum.eigenvalues,
      eigen_shares: spectrum.eigenShares,
    },
    linear_probe_accuracy: accuracies.linearProbeAccuracy,
    neighbour_accuracy: accuracies.neighbourAccuracy,
  }
  const text = jsonText(evaluation)
  await writeDurably(files.evaluation, text)
  return { evaluation, sum: sumOf(text) }
}
