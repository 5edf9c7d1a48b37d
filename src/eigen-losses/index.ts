import { z } from 'zod'
import type { EigenLossConfig, EigenLossKind, EigenLossMistake } from './eigen-loss.js'
import { logMax, logMaxSchema } from './log-max.js'
import { topK, topKSchema } from './top-k.js'

export type { EigenLossConfig } from './eigen-loss.js'

/** The eigen losses there are. Another one is a file beside top-k.ts and an entry in each of these two lists. */
export const eigenLossSchema = z.discriminatedUnion('kind', [topKSchema, logMaxSchema])
const eigenLosses: {
  readonly [Kind in EigenLoss['kind']]: EigenLossKind<Extract<EigenLoss, { kind: Kind }>>
} = {
  'top-k': topK,
  'log-max': logMax,
}

export type EigenLoss = z.output<typeof eigenLossSchema>

/** An eigen loss with its formula's numbers, as engines take it. */
export interface EngineEigenLoss extends EigenLossConfig {
  readonly parameters: Readonly<Record<string, number>>
}

export function engineEigenLoss(config: EigenLoss): EngineEigenLoss {
  const { kind, weight, center } = config
  return { kind, weight, center, parameters: eigenLossOf(config).parameters(config) }
}

export function eigenLossMistake(config: EigenLoss, latent: number): EigenLossMistake | null {
  return eigenLossOf(config).mistake(config, latent)
}

function eigenLossOf(config: EigenLoss): EigenLossKind<EigenLoss> {
  return eigenLosses[config.kind] as EigenLossKind<EigenLoss>
}
