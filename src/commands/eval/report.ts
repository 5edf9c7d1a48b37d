import type { WholeRun } from '../../runs/read.js'
import { share, significant } from '../../text/format.js'
import { writeJson, writeResult } from '../../text/output.js'
import { type Alignment, alignedTable } from '../../text/table.js'
import type { ModelEvaluation } from '../../training/evaluate.js'
import { neighbourCount } from '../../training/nearest-neighbours.js'

export interface EvaluatedRun {
  readonly run: WholeRun
  /** The model's. */
  readonly epoch: number
  readonly engine: { readonly device: string; readonly variant: string }
  /** Where the images came from. */
  readonly data: string
  readonly evaluation: ModelEvaluation
}

export function writeEvaluations(evaluated: readonly EvaluatedRun[], json: boolean): void {
  if (json) writeJson(evaluated.map(asJson))
  else writeResult(`${figures(evaluated)}\n\nspectrum σ/Σσ\n${spectra(evaluated)}`)
}

/** The names of evaluation.json and its table, without the split in them, which is a choice here. */
function asJson({ run, epoch, engine, data, evaluation }: EvaluatedRun) {
  const { spectrum } = evaluation
  return {
    folder: run.folder,
    name: run.record.name,
    seed: run.record.seed,
    status: run.status,
    epoch,
    engine,
    data,
    split: evaluation.split,
    images: evaluation.images,
    noise: evaluation.noise,
    mse: evaluation.mse,
    denoise_mse: evaluation.denoiseMse,
    top_share: spectrum.singularShares[0]!,
    effective_rank: spectrum.effectiveRank,
    dead_dimensions: spectrum.deadDimensions,
    spectrum: {
      singular_values: spectrum.singularValues,
      singular_shares: spectrum.singularShares,
      eigenvalues: spectrum.eigenvalues,
      eigen_shares: spectrum.eigenShares,
    },
    linear_probe_accuracy: evaluation.linearProbeAccuracy,
    neighbour_accuracy: evaluation.neighbourAccuracy,
    neighbours: neighbourCount,
  }
}

function figures(evaluated: readonly EvaluatedRun[]): string {
  const header = ['run', 'epoch', 'images', 'MSE', 'noisy MSE', 'eff. rank', 'dead', 'linear probe']
  const rows = evaluated.map(({ run, epoch, evaluation }) => [
    run.folder,
    String(epoch),
    `${evaluation.images} ${evaluation.split}`,
    significant(evaluation.mse),
    `${significant(evaluation.denoiseMse)} at ${evaluation.noise}`,
    `${evaluation.spectrum.effectiveRank.toFixed(2)} of ${evaluation.spectrum.singularValues.length}`,
    String(evaluation.spectrum.deadDimensions),
    percent(evaluation.linearProbeAccuracy),
    percent(evaluation.neighbourAccuracy),
  ])
  return alignedTable(rows, ['left', ...rightFrom(rows[0]!)], [...header, `${neighbourCount}-NN`])
}

const shownDimensions = 16

/** A row a run, a column a rank. */
function spectra(evaluated: readonly EvaluatedRun[]): string {
  const widest = Math.max(...evaluated.map(({ evaluation }) => evaluation.spectrum.singularShares.length))
  const columns = Math.min(widest, shownDimensions)
  const rows = evaluated.map(({ run, evaluation }) => {
    const shares = evaluation.spectrum.singularShares
    const cells = Array.from({ length: columns }, (_, rank) =>
      shares[rank] === undefined ? '' : share(shares[rank]),
    )
    return [run.folder, ...cells, shares.length > columns ? `… ${shares.length - columns} more` : '']
  })
  return alignedTable(rows, ['left', ...rightFrom(rows[0]!)])
}

function rightFrom([, ...cells]: readonly string[]): readonly Alignment[] {
  return cells.map(() => 'right')
}

function percent(accuracy: number): string {
  return `${(100 * accuracy).toFixed(2)} %`
}
