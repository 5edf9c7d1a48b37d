import { logMax } from './log-max.js'
import type { PenaltyFormula } from './penalty.js'
import { topK } from './top-k.js'

/** The eigen losses by the kind that src/model/penalties/ knows them by. */
const formulas: Readonly<Record<string, PenaltyFormula>> = {
  'top-k': topK,
  'log-max': logMax,
}

export function penaltyFormula(kind: string): PenaltyFormula {
  const formula = formulas[kind]
  if (formula === undefined) throw new Error(`unknown penalty kind "${kind}"`)
  return formula
}
