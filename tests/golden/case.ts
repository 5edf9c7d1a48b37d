import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { eigenLossSchema } from '../../src/config/eigen-losses.js'
import { configSchema } from '../../src/config/schema.js'
import type { TrainerSpec } from '../../src/engines/engine.js'
import type { Architecture } from '../../src/model/architecture.js'
import { layoutOf, type Tensor } from '../../src/model/layout.js'
import { stateOfNetwork, type TrainerState } from '../../src/model/state.js'
import { trainerSpec } from '../../src/training/spec.js'

type Matrix = readonly (readonly number[])[]
type LayerValues = Readonly<Record<string, readonly number[] | Matrix>>

/** One trajectory. */
export interface GoldenCase {
  readonly spec: TrainerSpec
  readonly initial: readonly LayerValues[]
  readonly clean: readonly Matrix[]
  readonly noisy: readonly Matrix[]
  readonly expected: {
    readonly steps: readonly {
      readonly loss: number
      readonly mse: number
      /** The sum of the unweighted eigen losses. */
      readonly penalty: number
      /** Each unweighted eigen loss; absent from the older cases, which have one at most. */
      readonly terms?: readonly number[]
    }[]
    readonly firstGradients: readonly LayerValues[]
    readonly final: readonly LayerValues[]
    /** Absent without averaging. */
    readonly averaged?: readonly LayerValues[]
    readonly evaluation: {
      readonly input: Matrix
      readonly embedding: Matrix
      readonly output: Matrix
      readonly singularValues: readonly number[]
      readonly singularShares: readonly number[]
    }
  }
}

/** The head of a case: the fields of a config file that describe a training. */
type ConfigHead = Pick<z.input<typeof configSchema>, 'model' | 'loss' | 'optimizer' | 'train'>

/** The head of the older cases. */
interface OlderHead {
  readonly widths: readonly number[]
  readonly batch: number
  readonly batchNorm: 'none' | 'encoder' | 'all'
  /** Has the parameters of every kind; `kind` may be "none". */
  readonly eigen: Readonly<Record<string, unknown>> & { readonly kind: string }
  readonly adam: NonNullable<ConfigHead['optimizer']>
}

type CaseFile = (ConfigHead | OlderHead) & Omit<GoldenCase, 'spec'>

/** Reads the cases beside this file, or those in the folder EIGENAE_GOLDEN_DIR. */
export function goldenCases(): readonly { readonly name: string; readonly golden: GoldenCase }[] {
  const folder = process.env.EIGENAE_GOLDEN_DIR ?? join(import.meta.dirname, 'cases')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((name) => {
      const file = JSON.parse(readFileSync(join(folder, name), 'utf8')) as CaseFile
      return { name, golden: { ...file, spec: specOf(file, file.clean.length) } }
    })
}

/** The steps are given, so neither the noise nor the number of epochs matters. They are one epoch. */
function specOf(head: ConfigHead | OlderHead, steps: number): TrainerSpec {
  const { model, loss, optimizer, train } = 'widths' in head ? toConfigHead(head) : head
  // A config of the product has the 784 pixels of MNIST as its first width; a case is smaller.
  const { widths, ...otherModel } = model!
  const config = configSchema.parse({ name: 'golden', model: otherModel, loss, optimizer, train })
  const whole = { ...config, model: { ...config.model, widths: widths! }, data: { ...config.data, noise: 0 } }
  return trainerSpec(whole, steps * config.train.batchSize, 2)
}

function toConfigHead({ widths, batch, batchNorm, eigen, adam }: OlderHead): ConfigHead {
  return {
    model: { widths: [...widths], batchNorm },
    loss: { eigen: eigen.kind === 'none' ? null : onlyOwnFields(eigen) },
    optimizer: adam,
    train: { batchSize: batch },
  }
}

function onlyOwnFields(eigen: OlderHead['eigen']): z.input<typeof eigenLossSchema> {
  const schema = eigenLossSchema.options.find(({ shape }) => shape.kind.safeParse(eigen.kind).success)!
  return schema.parse(Object.fromEntries(Object.entries(eigen).filter(([key]) => key in schema.shape)))
}

export function initialStateOf(golden: GoldenCase): TrainerState {
  const { spec } = golden
  const parameters = flatParameters(spec, golden.initial)
  return stateOfNetwork(spec, { parameters, runningStatistics: flatRunningStatistics(spec, golden.initial) })
}

export function flatParameters(architecture: Architecture, layers: readonly LayerValues[]): Float32Array {
  const { parameters, parameterCount } = layoutOf(architecture)
  return flatten(parameters, parameterCount, layers, architecture)
}

export function flatRunningStatistics(
  architecture: Architecture,
  layers: readonly LayerValues[],
): Float32Array {
  const { runningStatistics, runningStatisticCount } = layoutOf(architecture)
  return flatten(runningStatistics, runningStatisticCount, layers, architecture)
}

function flatten(
  tensors: readonly Tensor[],
  size: number,
  layers: readonly LayerValues[],
  { widths }: Architecture,
): Float32Array {
  const flat = new Float32Array(size)
  for (const { kind, layer, offset } of tensors) {
    const position = layer.part === 'encoder' ? layer.index : widths.length - 1 + layer.index
    flat.set(layers[position]![kind]!.flat(), offset)
  }
  return flat
}

export function flatMatrix(matrix: Matrix): Float32Array {
  return Float32Array.from(matrix.flat())
}
