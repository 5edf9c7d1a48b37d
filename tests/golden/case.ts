import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EngineEigenLoss, eigenLossSchema, engineEigenLoss } from '../../src/eigen-losses/index.js'
import type { TrainerSpec } from '../../src/engines/engine.js'
import type { Architecture, BatchNorm } from '../../src/model/architecture.js'
import { layoutOf, type Tensor } from '../../src/model/layout.js'
import type { TrainerState } from '../../src/model/state.js'

type Matrix = readonly (readonly number[])[]
type LayerValues = Readonly<Record<string, readonly number[] | Matrix>>

/** One trajectory; the head of generate.py defines the numbers. */
export interface GoldenCase {
  readonly widths: readonly number[]
  readonly batch: number
  readonly batchNorm: BatchNorm
  readonly eigen: {
    readonly kind: string
    readonly k: number
    readonly weight: number
    readonly center: boolean
  }
  readonly adam: TrainerSpec['adam']
  readonly initial: readonly LayerValues[]
  readonly clean: readonly Matrix[]
  readonly noisy: readonly Matrix[]
  readonly expected: {
    readonly steps: readonly { readonly loss: number; readonly mse: number; readonly penalty: number }[]
    readonly firstGradients: readonly LayerValues[]
    readonly final: readonly LayerValues[]
    readonly evaluation: {
      readonly input: Matrix
      readonly embedding: Matrix
      readonly output: Matrix
      readonly singularValues: readonly number[]
      readonly singularShares: readonly number[]
    }
  }
}

/** Reads the cases beside this file, or those in the folder EIGENAE_GOLDEN_DIR. */
export function goldenCases(): readonly { readonly name: string; readonly golden: GoldenCase }[] {
  const folder = process.env.EIGENAE_GOLDEN_DIR ?? join(import.meta.dirname, 'cases')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((name) => ({ name, golden: JSON.parse(readFileSync(join(folder, name), 'utf8')) as GoldenCase }))
}

export function specOf({ widths, batchNorm, batch, eigen, adam }: GoldenCase): TrainerSpec {
  return {
    widths,
    batchNorm,
    eigenLosses: eigen.kind === 'none' ? [] : [eigenLossOf(eigen)],
    adam,
    batchSize: batch,
    seed: 0,
    noise: 0,
    threads: 2,
  }
}

/** A case has the parameters of every kind; a config only those of its own. */
function eigenLossOf(eigen: GoldenCase['eigen']): EngineEigenLoss {
  const schema = eigenLossSchema.options.find(({ shape }) => shape.kind.safeParse(eigen.kind).success)!
  const own = Object.entries(eigen).filter(([key]) => key in schema.shape)
  return engineEigenLoss(schema.parse(Object.fromEntries(own)))
}

export function initialStateOf(golden: GoldenCase): TrainerState {
  const layout = layoutOf(golden)
  const parameters = flatParameters(golden, golden.initial)
  return {
    step: 0,
    parameters,
    firstMoments: new Float32Array(layout.parameterCount),
    secondMoments: new Float32Array(layout.parameterCount),
    runningStatistics: flatRunningStatistics(golden, golden.initial),
  }
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
