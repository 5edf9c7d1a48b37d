import { z } from 'zod'
import { embeddedSource } from '../data/load.js'
import { jsonText } from '../files/write.js'
import { defaultSlope, maximumWidth, mnistShape } from '../model/architecture.js'
import { nameSchema } from './eigen-loss-kinds.js'
import { eigenLossSchema } from './eigen-losses.js'
import { type DeepReadonly, valueAt } from './json.js'
import { scheduledSchema } from './schedule.js'

export const devices = ['auto', 'cpu', 'wasm', 'cuda', 'tensorflow-cpu'] as const
export type RequestedDevice = (typeof devices)[number]
export type Device = Exclude<RequestedDevice, 'auto'>

const maximumSeed = 2 ** 32 - 1
const mnistPixels = mnistShape.width * mnistShape.height

// A term of the loss takes time at every step; more than a few have no use.
const maximumEigenLosses = 16

// Each layer costs buffers and a barrier between the threads. A mirrored network without skip connections stops learning
// well below this depth, because its gradient vanishes.
const maximumWidths = 256

/** Far above any useful noise, and far below the overflow of float32. */
export const maximumNoise = 1000

const data = z.strictObject({
  source: z
    .string()
    .min(1)
    .default(embeddedSource)
    .describe(
      '"mnist", or a folder with the four idx files of a data set of images of one size (gzipped or not).',
    ),
  noise: z
    .number()
    .min(0)
    .max(maximumNoise)
    .default(0.2)
    .describe("Standard deviation of the noise on the input's pixels."),
  limit: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Train on the first N images only; null for all of them.'),
  validation: z
    .int()
    .min(0)
    .default(0)
    .describe('Hold out the last N images of train: never trained on, measured after each epoch.'),
})

const width = z.int().min(1).max(maximumWidth)

const modelFields = z.strictObject({
  widths: z
    .array(width)
    .min(2)
    .max(maximumWidths)
    .default([mnistPixels, 128, 64, 12, 10])
    .describe('Widths of the encoder, from the pixels to the latent size; the decoder mirrors them.'),
  latent: width.optional().describe('Replaces the last of the widths, the latent size.'),
  batchNorm: z
    .union([z.enum(['none', 'encoder', 'all']), z.array(z.string())], {
      error: 'must be "none" or "encoder" or "all", or a list of layers like ["encoder.0", "latent"]',
    })
    .default('none')
    .describe(
      'Layers with batch norm: every layer but the output (all), the encoder including the latent layer, or those with the given names.',
    ),
  activation: z
    .union(
      [
        z.enum(['relu', 'leaky-relu', 'silu']),
        z.strictObject({
          kind: z.literal('leaky-relu'),
          slope: z.number().gt(0).lt(1).default(defaultSlope).describe('Factor of negative values.'),
        }),
      ],
      { error: 'must be "relu" or "leaky-relu" or "silu", or {"kind": "leaky-relu", "slope": 0.2}' },
    )
    .default('relu')
    .describe(
      `Activation of the hidden layers. The slope of "leaky-relu" is ${defaultSlope} unless it is given.`,
    ),
  init: z
    .enum(['he-uniform', 'orthogonal'])
    .default('he-uniform')
    .describe(
      "Initial weights: uniform by He et al. (PyTorch's kaiming_uniform_), or orthogonal with the same variance.",
    ),
})

/** A config has the latent size once, as the last of the widths, whatever set it. */
const model = modelFields.transform(({ latent, ...fields }) => ({
  ...fields,
  widths: latent === undefined ? fields.widths : [...fields.widths.slice(0, -1), latent],
}))

const loss = z.strictObject({
  eigen: z
    .union([z.null(), eigenLossSchema, z.array(eigenLossSchema).min(1).max(maximumEigenLosses)], {
      error: 'must be an eigen loss like {"kind": "top-k"}, a list of them, or null',
    })
    .default(null)
    .describe(
      'A loss on the spectrum or the moments of layers, or a list of them, which are added; null for none.',
    ),
})

const optimizerFields = {
  learningRate: scheduledSchema(z.number().gt(0), z.number().min(0))
    .default(0.005)
    .describe('A number, or a schedule over the first epochs, which may end at 0.'),
  warmup: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Number of steps over which the learning rate rises linearly, from a warmup-th of it in the first step.',
    ),
  averaging: z
    .union(
      [
        z.strictObject({
          kind: z.literal('ema'),
          decay: z.number().gt(0).lt(1).default(0.998).describe('Share of the old average at each step.'),
        }),
        z.null(),
      ],
      { error: 'must be {"kind": "ema", "decay": 0.998} or null' },
    )
    .default(null)
    .describe(
      'Average the parameters and running statistics over the steps, and evaluate and keep the averaged model; null for the last one.',
    ),
}

const adamFields = {
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().gt(0).default(1e-8),
}

const { learningRate, ...otherOptimizerFields } = optimizerFields

// The first three fields keep the order of version 0.1.0, which is that of config.json.
const optimizer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('adam').default('adam'),
    learningRate,
    ...adamFields,
    ...otherOptimizerFields,
  }),
  z.strictObject({
    kind: z.literal('adamw'),
    learningRate,
    ...adamFields,
    weightDecay: z
      .number()
      .min(0)
      .default(0.01)
      .describe('Share of the weights that is subtracted at each step, times the learning rate.'),
    ...otherOptimizerFields,
  }),
  z.strictObject({
    kind: z.literal('sgd'),
    learningRate,
    momentum: z.number().min(0).lt(1).default(0),
    nesterov: z.boolean().default(false).describe("Nesterov's momentum, which must not be 0."),
    ...otherOptimizerFields,
  }),
])

const train = z.strictObject({
  epochs: z.int().min(1).max(1_000_000).default(10),
  batchSize: z.int().min(1).max(65536).default(64),
})

const spectrum = z.strictObject({
  split: z
    .enum(['train', 'test'])
    .default('test')
    .describe('The split whose first images give the spectrum.'),
  images: z.int().min(1).default(1024).describe('Number of images; all of them if the split has fewer.'),
  center: z.boolean().default(false),
})

const fields = z.strictObject({
  $schema: z.string().optional(),
  name: nameSchema.describe("The run's name: it is kept under runs/<name>/seed-<seed>."),
  seed: z.int().min(0).max(maximumSeed).default(0),
  data: data.prefault({}),
  model: model.prefault({}),
  loss: loss.prefault({}),
  optimizer: optimizer.prefault({}),
  train: train.prefault({}),
  spectrum: spectrum.prefault({}),
  device: z.enum(devices).default('auto'),
})

/** The contract of a config file. Only `name` is required. The images of a folder are compared when they are read. */
export const configSchema = fields.refine(
  ({ data, model }) => data.source !== embeddedSource || model.widths[0] === mnistPixels,
  {
    error: `must start with ${mnistPixels}, the pixels of an image`,
    path: ['model', 'widths'],
    // Also reported when the config has other mistakes.
    when: ({ value }) => Array.isArray(valueAt(value, ['model', 'widths'])),
  },
)

/** A config as it is written: without the fields that have their default. */
export type ConfigInput = DeepReadonly<z.input<typeof configSchema>>

/** A config in which every field has a value. */
export type Config = DeepReadonly<Omit<z.output<typeof configSchema>, '$schema'>>

/** The JSON Schema that editors read: configs/schema.json. */
export function jsonSchema(): object {
  const inFile = fields.extend({
    extends: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Another config file, relative to this one, whose fields this file replaces; the name is its own.',
      ),
  })
  return z.toJSONSchema(inFile, { io: 'input', target: 'draft-7' })
}

/**
 * Paths of fields that are newer than version 0.2.0, with the value that stands for their absence. A config is written
 * without those that have this value: it then has the same bytes and the same checksum as one of an older version, so
 * older runs can be resumed. "*" is any element of a list.
 */
const absences: Readonly<Record<string, unknown>> = {
  'data.validation': 0,
  'model.activation': 'relu',
  'model.init': 'he-uniform',
  'loss.eigen.layers': 'latent',
  'loss.eigen.*.layers': 'latent',
  'optimizer.warmup': 0,
  'optimizer.averaging': null,
}

/** Returns a config as it is written: into config.json, the header of a model, and checksums. */
export function configJson(config: Config): object {
  return withoutAbsent(config, '') as object
}

function withoutAbsent(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element) => withoutAbsent(element, `${path}*.`))
  const present = Object.entries(value).filter(
    ([field, inner]) => !(path + field in absences && absences[path + field] === inner),
  )
  return Object.fromEntries(
    present.map(([field, inner]) => [field, withoutAbsent(inner, `${path}${field}.`)]),
  )
}

/** Returns the part of a config that the runs of an arm share. */
export function withoutSeed(config: Config): object {
  return Object.fromEntries(Object.entries(configJson(config)).filter(([field]) => field !== 'seed'))
}

export function configText(config: Config): string {
  return jsonText(configJson(config))
}
