import type { EigenLoss } from '../index.js'
import { covariance } from './covariance.js'
import { decorrelation } from './decorrelation.js'
import type { EigenLossFormula } from './eigen-loss.js'
import { entropy } from './entropy.js'
import { klDiagonal } from './kl-diagonal.js'
import { klNormal } from './kl-normal.js'
import { logDet } from './log-det.js'
import { logMax } from './log-max.js'
import { topK } from './top-k.js'
import { variance } from './variance.js'

/** The formula of every eigen loss. */
const formulas: Readonly<Record<EigenLoss['kind'], EigenLossFormula>> = {
  'top-k': { spectrum: topK },
  'log-max': { spectrum: logMax },
  entropy: { spectrum: entropy },
  'log-det': { covariance: logDet },
  'kl-normal': { covariance: klNormal },
  'kl-diagonal': { variances: klDiagonal },
  variance: { variances: variance },
  covariance: { covariance },
  decorrelation: { covariance: decorrelation },
}

export function eigenLossFormula(kind: string): EigenLossFormula {
  if (kind in formulas) return formulas[kind as EigenLoss['kind']]
  throw new Error(`unknown eigen loss kind "${kind}"`)
}
