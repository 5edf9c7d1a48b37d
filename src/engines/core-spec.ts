import { compileFormula } from '../formulas/program.js'
import { type Tape, tapeOf } from '../formulas/tape.js'
import { innerWidths, layersOf } from '../model/architecture.js'
import { learningRateAt, valueAt } from '../model/schedule.js'
import type { EigenLossSpec, TrainerSpec } from './engine.js'

/** The spec of a trainer of the core: `TrainerSpec` in native/core/trainer.h. */
export interface CoreSpec {
  readonly widths: readonly number[]
  /** For each layer but the output, in the order of the forward pass. */
  readonly batchNorm: readonly boolean[]
  /** The activation of the hidden layers. */
  readonly activation: CoreActivation
  /** The slope of leaky ReLU; the others do not use it. */
  readonly slope: number
  readonly eigenLosses: readonly CoreEigenLoss[]
  readonly optimizer: CoreAdam | CoreSgd
  /** Decay of the average, or null. */
  readonly averaging: number | null
  readonly batchSize: number
  readonly seed: number
  readonly noise: number
  readonly threads: number
}

export type CoreActivation = 'relu' | 'leaky-relu' | 'silu'

export interface CoreEigenLoss extends Pick<EigenLossSpec, 'layers' | 'minimumImages'> {
  /** Whether the singular values are those of the centred matrix. */
  readonly center: boolean
  /** The formula for each of the layers. */
  readonly tapes: readonly Tape[]
}

export interface CoreAdam {
  readonly kind: 'adam'
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
}

export interface CoreSgd {
  readonly kind: 'sgd'
  readonly momentum: number
  readonly nesterov: boolean
}

/** The numbers of a call that change from step to step. */
export interface CoreStepValues {
  /** [steps] */
  readonly learningRates: Float64Array
  /** [steps][eigen losses], row-major. */
  readonly weights: Float64Array
}

export function coreSpec(spec: TrainerSpec): CoreSpec {
  const { widths, eigenLosses, averaging, batchSize, seed, noise, threads } = spec
  const inner = layersOf(spec).slice(0, -1)
  const hidden = inner.find(({ activation }) => activation !== 'linear')
  return {
    ...{ widths, averaging, batchSize, seed, noise, threads },
    batchNorm: inner.map(({ batchNorm }) => batchNorm),
    activation: (hidden?.activation ?? 'relu') as CoreActivation,
    slope: hidden?.slope ?? 0,
    eigenLosses: eigenLosses.map((eigenLoss) => coreEigenLoss(eigenLoss, innerWidths(widths))),
    optimizer: coreOptimizer(spec),
  }
}

function coreEigenLoss(
  { formula, layers, minimumImages }: EigenLossSpec,
  widths: readonly number[],
): CoreEigenLoss {
  const tapes = layers.map((layer) => tapeOf(compileFormula(formula, widths[layer]!)))
  return { layers, minimumImages, center: formula.center, tapes }
}

function coreOptimizer({ optimizer }: TrainerSpec): CoreAdam | CoreSgd {
  const { learningRate, warmup, ...constants } = optimizer
  return constants
}

/** Returns the values of `steps` steps from the given one on, counted from 0. */
export function stepValues(
  { optimizer, eigenLosses }: Pick<TrainerSpec, 'optimizer' | 'eigenLosses'>,
  first: number,
  steps: number,
): CoreStepValues {
  const numbers = Array.from({ length: steps }, (_, i) => first + i)
  return {
    learningRates: Float64Array.from(numbers, (step) => learningRateAt(optimizer, step)),
    weights: Float64Array.from(
      numbers.flatMap((step) => eigenLosses.map(({ weight }) => valueAt(weight, step))),
    ),
  }
}
