import { z } from 'zod'
import type { JsonPath } from '../config/json.js'
import type { DeepReadonly } from '../types/deep-readonly.js'
import { covariance } from './covariance.js'
import { decorrelation } from './decorrelation.js'
import type { EigenLossConfig, EigenLossKind } from './eigen-loss.js'
import { entropy } from './entropy.js'
import { klDiagonal } from './kl-diagonal.js'
import { klNormal } from './kl-normal.js'
import { logDet } from './log-det.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'
import { variance } from './variance.js'

/** Every eigen loss by its kind. */
const eigenLosses = {
  'top-k': topK,
  'log-max': logMax,
  entropy,
  'log-det': logDet,
  'kl-normal': klNormal,
  'kl-diagonal': klDiagonal,
  variance,
  covariance,
  decorrelation,
} as const

export const eigenLossKinds: readonly string[] = Object.keys(eigenLosses)

type Schema = (typeof eigenLosses)[keyof typeof eigenLosses]['schema']
const [first, ...others] = Object.values(eigenLosses).map(({ schema }) => schema) as [Schema, ...Schema[]]

/** The config of an eigen loss of any kind. */
export const eigenLossSchema = z.discriminatedUnion('kind', [first, ...others])
export type EigenLoss = DeepReadonly<z.output<typeof eigenLossSchema>>

export function eigenLossKindOf({ kind }: Pick<EigenLossConfig, 'kind'>): EigenLossKind {
  return eigenLosses[kind as keyof typeof eigenLosses] as unknown as EigenLossKind
}

/** Returns the eigen losses of a config with their paths. */
export function eigenLossesWithPaths(eigen: EigenLoss | readonly EigenLoss[] | null) {
  return eigenLossesOf(eigen).map((eigenLoss, index) => {
    const path: JsonPath = Array.isArray(eigen) ? ['loss', 'eigen', index] : ['loss', 'eigen']
    return { eigenLoss, path }
  })
}

/** Returns the eigen losses of a config: none, one, or those of its list. */
export function eigenLossesOf<Loss>(eigen: Loss | readonly Loss[] | null): readonly Loss[] {
  if (eigen === null) return []
  return Array.isArray(eigen) ? (eigen as readonly Loss[]) : [eigen as Loss]
}
