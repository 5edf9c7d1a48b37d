import type { Architecture } from '../model/architecture.js'
import type { EigenLossSpec, TrainerSpec } from './engine.js'

/** The spec of engines that do not know schedules, layers and other optimisers yet. */
export interface EarlierSpec extends Architecture {
  readonly eigenLosses: readonly EarlierEigenLoss[]
  readonly adam: {
    readonly learningRate: number
    readonly beta1: number
    readonly beta2: number
    readonly epsilon: number
  }
  readonly batchSize: number
  readonly seed: number
  readonly noise: number
  readonly threads: number
}

export interface EarlierEigenLoss extends Pick<EigenLossSpec, 'kind' | 'parameters' | 'center'> {
  readonly weight: number
}

export function earlierSpec({ optimizer, eigenLosses, ...spec }: TrainerSpec): EarlierSpec {
  if (optimizer.kind !== 'adam' || typeof optimizer.learningRate !== 'number')
    throw new Error('this engine has only Adam at a constant learning rate')
  const { learningRate, beta1, beta2, epsilon } = optimizer
  return {
    ...spec,
    adam: { learningRate, beta1, beta2, epsilon },
    eigenLosses: eigenLosses.map(({ kind, parameters, center, weight }) => {
      if (typeof weight !== 'number') throw new Error('this engine has only constant weights')
      return { kind, parameters, center, weight }
    }),
  }
}
