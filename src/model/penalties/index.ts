import { z } from 'zod'
import { logMax, logMaxSchema } from './log-max.js'
import type { Penalty, PenaltyConfig, PenaltyMistake } from './penalty.js'
import { topK, topKSchema } from './top-k.js'

export type { PenaltyConfig } from './penalty.js'

/** The eigen losses there are. Another one is a file beside top-k.ts and an entry in each of these two lists. */
export const eigenLossSchema = z.discriminatedUnion('kind', [topKSchema, logMaxSchema])
const penalties: { readonly [Kind in EigenLoss['kind']]: Penalty<Extract<EigenLoss, { kind: Kind }>> } = {
  'top-k': topK,
  'log-max': logMax,
}

export type EigenLoss = z.output<typeof eigenLossSchema>

/** A penalty with its formula's numbers, as engines take it. */
export interface EnginePenalty extends PenaltyConfig {
  readonly parameters: Readonly<Record<string, number>>
}

export function enginePenalty(config: EigenLoss): EnginePenalty {
  const { kind, weight, center } = config
  return { kind, weight, center, parameters: penaltyOf(config).parameters(config) }
}

export function penaltyMistake(config: EigenLoss, latent: number): PenaltyMistake | null {
  return penaltyOf(config).mistake(config, latent)
}

function penaltyOf(config: EigenLoss): Penalty<EigenLoss> {
  return penalties[config.kind] as Penalty<EigenLoss>
}
