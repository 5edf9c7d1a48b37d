import type { EigenLossFormula } from './eigen-loss.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'

/** The formulas by the kinds of src/eigen-losses/index.ts. */
const formulas: Readonly<Record<string, EigenLossFormula>> = {
  'top-k': topK,
  'log-max': logMax,
}

export function eigenLossFormula(kind: string): EigenLossFormula {
  const formula = formulas[kind]
  if (formula === undefined) throw new Error(`unknown eigen loss kind "${kind}"`)
  return formula
}
