import { type FinalEvaluation, readEvaluation } from '../../runs/evaluation.js'
import type { RunFiles } from '../../runs/files.js'
import { share, significant } from '../../text/format.js'
import { writeJson, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'

/** What came out of a run, as its evaluation.json says it. */
export function writeReport(files: RunFiles, json: boolean): void {
  const evaluation = readEvaluation(files.evaluation)
  if (json) writeJson({ folder: files.folder, ...evaluation })
  else writeResult(reportText(files.folder, evaluation))
}

function reportText(folder: string, evaluation: FinalEvaluation): string {
  const { metrics, spectrum, linear_probe_accuracy, neighbour_accuracy } = evaluation
  const rows = [
    ['test MSE', `${shown(metrics.test_mse)} (noisy input ${shown(metrics.test_denoise_mse)})`],
    ['linear probe', percent(linear_probe_accuracy)],
    ['5-NN', shown(neighbour_accuracy, percent)],
    [
      'effective rank',
      `${shown(metrics.effective_rank, (value) => value.toFixed(2))} of ${spectrum.singular_values.length}`,
    ],
    ['dead dimensions', shown(metrics.dead_dimensions, String)],
    ['spectrum σ/Σσ', spectrum.singular_shares.map(share).join(' ')],
    ['files', folder],
  ]
  return alignedTable(rows, ['left', 'left'])
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}

/** A dash where the run lacks it. */
function shown(value: number | undefined, format: (value: number) => string = significant): string {
  return value === undefined ? '–' : format(value)
}
