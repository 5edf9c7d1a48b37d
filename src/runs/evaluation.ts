import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readJsonIfPresent } from '../files/read.js'
import { remakeHint } from './damage.js'
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
})

/** evaluation.json: the last epoch's metrics, the spectrum they rest on, and the linear probe. */
export type FinalEvaluation = z.output<typeof schema>

/** Of a completed run. @throws EigenaeError where the file is missing or damaged. */
export function readEvaluation(file: string): FinalEvaluation {
  const evaluation = schema.safeParse(readJsonIfPresent(file))
  if (evaluation.success) return evaluation.data
  throw new EigenaeError({
    what: 'is missing, or is not the evaluation of a completed run',
    where: file,
    hint: remakeHint,
    cause: evaluation.error,
  })
}

const probeSchema = schema.pick({ linear_probe_accuracy: true })

/** Returns the accuracy in an evaluation.json of any version, null if it is none. */
export function probeOf(content: Buffer): number | null {
  try {
    return probeSchema.parse(JSON.parse(content.toString('utf8'))).linear_probe_accuracy
  } catch {
    return null
  }
}
