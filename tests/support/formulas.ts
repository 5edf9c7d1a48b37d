import { eigenLossKinds } from '../../src/config/eigen-loss-kinds.js'
import type { Formula } from '../../src/formulas/parse.js'

/** Returns the formula of a kind of eigen loss. */
export function formulaOfKind(
  kind: keyof typeof eigenLossKinds,
  parameters: Readonly<Record<string, number>> = {},
  center = false,
): Formula {
  return { text: eigenLossKinds[kind].formula, parameters, center }
}
