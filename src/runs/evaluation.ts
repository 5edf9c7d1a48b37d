import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readJsonIfPresent } from '../files/json.js'
import { remakeHint } from './integrity.js'
import { metricsColumns } from './tables.js'

const numbers = z.array(z.number()).readonly()
const schema = z.object({
  /** A run of another version may lack some. */
  metrics: z.partialRecord(z.enum(metricsColumns), z.number()),
  spectrum: z.object({
    singular_values: numbers,
    singular_shares: numbers,
    eigenvalues: numbers,
    eigen_shares: numbers,
  }),
  /** Share of the test images, 0 to 1. */
  linear_probe_accuracy: z.number(),
  /** Share of the test images, 0 to 1. Runs of version 0.1 lack it. */
  neighbour_accuracy: z.number().optional(),
})

/** evaluation.json: the last epoch's metrics, the spectrum they rest on, and two ways to read off labels. */
export type FinalEvaluation = z.output<typeof schema>

/** Of a completed run. @throws EigenaeError where the file is missing or damaged. */
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

const accuraciesSchema = schema.pick({ linear_probe_accuracy: true, neighbour_accuracy: true })

/** How well labels can be read off the embedding of a run, as shares of the test images; null if unknown. */
export interface RunAccuracies {
  readonly linearProbeAccuracy: number | null
  readonly neighbourAccuracy: number | null
}

/** Returns the accuracies in an evaluation.json of any version; unknown if it is undefined or damaged. */
export function accuraciesIn(content: Buffer | undefined): RunAccuracies {
  const found = accuraciesSchema.safeParse(jsonIn(content)).data
  return {
    linearProbeAccuracy: found?.linear_probe_accuracy ?? null,
    neighbourAccuracy: found?.neighbour_accuracy ?? null,
  }
}

function jsonIn(content: Buffer | undefined): unknown {
  try {
    return content && JSON.parse(content.toString('utf8'))
  } catch {
    return undefined
  }
}
