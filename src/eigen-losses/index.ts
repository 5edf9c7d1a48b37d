import { z } from 'zod'
import type { EigenLossConfig, EigenLossKind, EigenLossMistake } from './eigen-loss.js'
import { entropy } from './entropy.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'

/** Every eigen loss by its kind. */
const eigenLosses = { 'top-k': topK, 'log-max': logMax, entropy } as const

export const eigenLossKinds: readonly string[] = Object.keys(eigenLosses)

type Schema = (typeof eigenLosses)[keyof typeof eigenLosses]['schema']
const [first, ...others] = Object.values(eigenLosses).map(({ schema }) => schema) as [Schema, ...Schema[]]

/** The config of an eigen loss of any kind. */
export const eigenLossSchema = z.discriminatedUnion('kind', [first, ...others])
export type EigenLoss = z.output<typeof eigenLossSchema>

/** The kind of a config that names none. */
export const defaultEigenLossKind = topK.schema.shape.kind.def.defaultValue

/** An eigen loss with its formula's numbers: the form in which engines take it. */
export interface EngineEigenLoss extends EigenLossConfig {
  readonly parameters: Readonly<Record<string, number>>
}

export function engineEigenLoss(config: EigenLoss): EngineEigenLoss {
  const { kind, weight, center } = config
  return { kind, weight, center, parameters: kindOf(config).parameters(config) }
}

/** Returns a mistake that depends on the latent's width, or null. */
export function eigenLossMistake(config: EigenLoss, latent: number): EigenLossMistake | null {
  return kindOf(config).mistake?.(config, latent) ?? null
}

function kindOf({ kind }: EigenLoss): EigenLossKind {
  return eigenLosses[kind] as EigenLossKind
}
