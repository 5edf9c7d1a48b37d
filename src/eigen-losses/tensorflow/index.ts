import type { EigenLoss } from '../index.js'
import type { EigenLossFormula } from './eigen-loss.js'
import { entropy } from './entropy.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'

/** The formula of every eigen loss. */
const formulas: Readonly<Record<EigenLoss['kind'], EigenLossFormula>> = {
  'top-k': topK,
  'log-max': logMax,
  entropy,
}

export function eigenLossFormula(kind: string): EigenLossFormula {
  if (kind in formulas) return formulas[kind as EigenLoss['kind']]
  throw new Error(`unknown eigen loss kind "${kind}"`)
}
