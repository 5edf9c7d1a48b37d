/** A mistake in a formula. */
export class FormulaError extends Error {
  /**
   * @param column of the mistake in the text, from 1
   * @param dependsOnWidth whether the text may be a formula on a layer of another width
   */
  constructor(
    readonly problem: string,
    readonly column: number,
    readonly dependsOnWidth = false,
  ) {
    super(`column ${column}: ${problem}`)
    this.name = 'FormulaError'
  }
}

export const limits = {
  /** Characters of a formula. */
  text: 2000,
  /** Parentheses and operators within one another. */
  depth: 50,
  /** Instructions of value and derivatives together. */
  instructions: 500,
} as const

export function tooManyInstructions(): FormulaError {
  return new FormulaError(`the formula needs more than ${limits.instructions} instructions`, 1)
}
