import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { parseJsonIfValid, readJsonIfPresent } from '../files/json.js'
import { remakeHint } from './integrity.js'
import type { KnownAccuracies, MeasuredRun } from './metrics.js'
import { metricsColumns } from './tables.js'

const numbers = z.array(z.number()).readonly()
const schema = z.object({
  /** Runs of other versions may lack some. */
  metrics: z.partialRecord(z.enum(metricsColumns), z.number()),
  spectrum: z.object({
    singular_values: numbers,
    singular_shares: numbers,
    eigenvalues: numbers,
    eigen_shares: numbers,
  }),
  /** Share of the test images, 0 to 1. */
  linear_probe_accuracy: z.number(),
  /** Share of the test images, 0 to 1; undefined in runs of version 0.1. */
  neighbour_accuracy: z.number().optional(),
})

/** evaluation.json: the last epoch's metrics, its spectrum, and the accuracies of two classifiers on the embedding. */
export type FinalEvaluation = z.output<typeof schema>

/** Returns the evaluation of a completed run. @throws EigenaeError if the file is missing or damaged. */
export function readEvaluation(file: string): FinalEvaluation {
  const evaluation = schema.safeParse(readJsonIfPresent(file))
  if (evaluation.success) return evaluation.data
  throw new EigenaeError({
    problem: 'is missing, or is not the evaluation of a completed run',
    subject: file,
    hint: remakeHint,
    cause: evaluation.error,
  })
}

/** Returns the evaluation in the form from which `metricOf` reads metrics. */
export function measuredRun(evaluation: FinalEvaluation): MeasuredRun {
  return {
    metrics: [evaluation.metrics as Readonly<Record<string, number>>],
    linearProbeAccuracy: evaluation.linear_probe_accuracy,
    neighbourAccuracy: evaluation.neighbour_accuracy ?? null,
  }
}

const accuraciesSchema = schema.pick({ linear_probe_accuracy: true, neighbour_accuracy: true })

/** Returns the accuracies in an evaluation.json of any version; null if the file is missing or damaged. */
export function accuraciesIn(content: Buffer | undefined): KnownAccuracies {
  const found = accuraciesSchema.safeParse(parseJsonIfValid(content)).data
  return {
    linearProbeAccuracy: found?.linear_probe_accuracy ?? null,
    neighbourAccuracy: found?.neighbour_accuracy ?? null,
  }
}
