import { z } from 'zod'
import { type ScheduledConfig, scheduledSchema } from './schedule.js'

/** The name of a run, of a sweep, of its variants or of a formula: also that of a folder. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/, {
  error: 'may contain letters, digits, dots, dashes and underscores, and must not start with a dot',
})

/** The layers that an eigen loss acts on. */
export type LayerChoice = 'latent' | 'hidden' | 'all' | readonly string[]

/** The config fields that every eigen loss has. */
interface EigenLossConfig {
  readonly kind: string
  /** Factor of the eigen loss in the loss. */
  readonly weight: ScheduledConfig
  readonly layers: LayerChoice
  /** Whether the batch's mean is subtracted from a layer's matrix first. Absent from kinds to which it means nothing. */
  readonly center?: boolean
}

/** A row of the table of kinds. */
interface EigenLossKind<Schema extends z.ZodType<EigenLossConfig>> {
  /** The kind's name, its own fields, `commonFields` and, if the formula has sigma or moment, `center`. */
  readonly schema: Schema
  /** In the language of src/formulas. Its parameters are the kind's own fields. */
  readonly formula: string
  readonly description: string
  /** A publication, or null if there is none. */
  readonly source: string | null
}

const commonFields = {
  weight: scheduledSchema(z.number())
    .default(1)
    .describe('Factor of the eigen loss in the loss: a number, or a schedule.'),
  layers: z
    .union([z.enum(['latent', 'hidden', 'all']), z.array(z.string()).min(1)], {
      error: 'must be "latent" or "hidden" or "all", or a list of layers like ["encoder.1", "latent"]',
    })
    .default('latent')
    .describe(
      'Layers that the loss acts on: the latent layer, the hidden ones (their linear outputs), all, or those with the given names. The loss is the mean over them.',
    ),
}

const center = z
  .boolean()
  .default(false)
  .describe("Subtract the batch's mean from a layer's matrix before its singular values are computed.")

const epsilon = z
  .number()
  .min(1e-8)
  .default(0.01)
  .describe(
    'Added to the eigenvalues or variances whose logarithm is taken; it bounds the loss where they are 0.',
  )

/**
 * Every kind of eigen loss with a name of its own, in the order of configs/schema.json and docs/config.md. A row is all that
 * a kind needs: every engine executes its formula.
 */
export const eigenLossKinds = {
  'top-k': kind({
    schema: z.strictObject({
      kind: z.literal('top-k').default('top-k'),
      k: z.int().min(1).default(2).describe('Number of the largest singular values in the numerator.'),
      ...commonFields,
      center,
    }),
    formula: 'sum(first(sigma, k)) / sum(sigma)',
    description: 'the share of the k largest singular values',
    source: null,
  }),
  'log-max': kind({
    schema: z.strictObject({ kind: z.literal('log-max'), ...commonFields, center }),
    formula: 'log(max(lambda) / sum(lambda))',
    description: 'the logarithm of the share of the largest eigenvalue',
    source: null,
  }),
  entropy: kind({
    schema: z.strictObject({ kind: z.literal('entropy'), ...commonFields, center }),
    formula: 'log(d) + sum(xlogx(p))',
    description: 'ln d minus the logarithm of the effective rank: 0 if all singular values are equal',
    source: 'Roy and Vetterli, "The effective rank", 2007',
  }),
  'log-det': kind({
    schema: z.strictObject({ kind: z.literal('log-det'), ...commonFields, center, epsilon }),
    formula: '-logdet(moment, epsilon) / d',
    description:
      'minus the mean of ln(λ/n + ε); up to constants, the log-determinant divergence from the identity without its trace term',
    source: 'Kulis, Sustik and Dhillon, "Low-rank kernel learning with Bregman matrix divergences", 2009',
  }),
  'kl-normal': kind({
    schema: z.strictObject({ kind: z.literal('kl-normal'), ...commonFields, epsilon }),
    formula: '(sum(mean^2) + trace(covariance) - d - logdet(covariance, epsilon)) / (2 * d)',
    description:
      'the Kullback-Leibler divergence per dimension from N(0, I) of the normal distribution with this mean and covariance',
    source: 'Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix B, for a full covariance',
  }),
  'kl-diagonal': kind({
    schema: z.strictObject({ kind: z.literal('kl-diagonal'), ...commonFields, epsilon }),
    formula: 'mean(mean^2 + variance - 1 - log(variance + epsilon)) / 2',
    description: 'kl-normal without the covariances, for any width at any batch size',
    source: 'Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix B',
  }),
  variance: kind({
    schema: z.strictObject({ kind: z.literal('variance'), ...commonFields }),
    formula: 'mean(relu(1 - sqrt(variance * n / (n - 1) + 1e-4)))',
    description: 'the mean shortfall of the unbiased deviations from 1: the variance term of VICReg',
    source: 'Bardes, Ponce and LeCun, "VICReg", 2022, equation 1',
  }),
  covariance: kind({
    schema: z.strictObject({ kind: z.literal('covariance'), ...commonFields }),
    formula: 'sum(offdiagonal(covariance * n / (n - 1))^2) / d',
    description: 'the squared unbiased covariances of all pairs of dimensions: the covariance term of VICReg',
    source: 'Bardes, Ponce and LeCun, "VICReg", 2022, equation 4',
  }),
  decorrelation: kind({
    schema: z.strictObject({ kind: z.literal('decorrelation'), ...commonFields }),
    formula: 'sum(offdiagonal(correlation)^2)',
    description:
      "the squared correlations of all pairs of dimensions: Barlow Twins' redundancy reduction term of one view",
    source: 'Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins", 2021, equation 1',
  }),
} as const

/** The kind whose formula is in the config. */
export const formulaSchema = z.strictObject({
  kind: z.literal('formula'),
  name: nameSchema.optional().describe('Replaces the formula in the names of arms and in losses.csv.'),
  formula: z
    .string()
    .describe(
      'The formula of a layer\'s singular values and moments, such as "log(max(lambda) / sum(lambda))": docs/formulas.md.',
    ),
  parameters: z
    .record(z.string(), z.number())
    .default({})
    .describe('Numbers by the names that the formula uses for them.'),
  ...commonFields,
  center: center.describe(
    "Subtract the batch's mean from a layer's matrix before its singular values and its moment are computed.",
  ),
})

/** Checks that a schema has the common fields. */
function kind<Schema extends z.ZodType<EigenLossConfig>>(row: EigenLossKind<Schema>): EigenLossKind<Schema> {
  return row
}

/** Returns the numbers of a config by the names that its formula has for them. */
export function ownNumbers(config: EigenLossConfig): Readonly<Record<string, number>> {
  const own = Object.entries(config).filter(
    ([key, value]) => typeof value === 'number' && !(key in commonFields),
  )
  return Object.fromEntries(own) as Readonly<Record<string, number>>
}
