import { eigenLossMistake } from '../eigen-losses/index.js'
import { latentDimension } from '../model/architecture.js'
import type { Mistake } from './mistakes.js'
import type { Config } from './schema.js'

/** What no field can know alone. */
interface Rule {
  /** The fields that it looks at, by their paths. */
  readonly fields: readonly string[]
  readonly mistake: (config: Config) => Mistake | null
}

/** Every rule across fields. */
export const rules: readonly Rule[] = [
  { fields: ['train.batchSize', 'model.widths', 'loss.eigen'], mistake: rankOfBatch },
  { fields: ['train.batchSize', 'model.batchNorm'], mistake: batchOfOne },
  { fields: ['model.widths', 'loss.eigen'], mistake: eigenLossOfBottleneck },
]

const batchSize = ['train', 'batchSize']

function rankOfBatch({ train, model, loss }: Config): Mistake | null {
  const latent = latentDimension(model)
  if (loss.eigen === null || train.batchSize > latent) return null
  const why = "the rank of a batch's embedding is at most its number of images"
  const what = `must be over ${latent}, the bottleneck's width, with an eigen loss: ${why}`
  return { path: batchSize, what: `${what} (got ${train.batchSize})` }
}

function batchOfOne({ train, model, loss }: Config): Mistake | null {
  // With an eigen loss a batch of one is said to be too small for that.
  if (model.batchNorm === 'none' || train.batchSize >= 2 || loss.eigen !== null) return null
  return { path: batchSize, what: `must be at least 2 with batch norm (got ${train.batchSize})` }
}

function eigenLossOfBottleneck({ loss: { eigen }, model }: Config): Mistake | null {
  const mistake = eigen && eigenLossMistake(eigen, latentDimension(model))
  if (mistake === null) return null
  const value: unknown = Reflect.get(eigen!, mistake.key)
  return { path: ['loss', 'eigen', mistake.key], what: `${mistake.what} (got ${JSON.stringify(value)})` }
}
