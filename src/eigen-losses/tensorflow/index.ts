import type { EigenLoss } from '../index.js'
import type { EigenLossFormula } from './eigen-loss.js'
import { entropy } from './entropy.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'

/** The formula of every eigen loss. */
const formulas: Readonly<Partial<Record<EigenLoss['kind'], EigenLossFormula>>> = {
  'top-k': { spectrum: topK },
  'log-max': { spectrum: logMax },
  entropy: { spectrum: entropy },
}

export function eigenLossFormula(kind: string): EigenLossFormula {
  const formula = formulas[kind as EigenLoss['kind']]
  if (formula !== undefined) return formula
  throw new Error(`unknown eigen loss kind "${kind}"`)
}
