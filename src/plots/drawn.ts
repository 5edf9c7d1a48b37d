/** The arms that the pictures of a comparison show. */
import type { Arm } from '../comparison/comparison.js'

/** The pictures show this many arms, because more could not be distinguished. The tables list all of them. */
export const mostDrawn = 12

/** Returns the arms that have a colour, a line or a panel in the pictures: the first ones, with the baseline among them. */
export function drawnOf(arms: readonly Arm[]): readonly Arm[] {
  const late = arms.slice(mostDrawn).filter(({ baseline }) => baseline)
  return [...arms.slice(0, mostDrawn - late.length), ...late]
}

/** Returns "the first 12 of 16 arms"; null if the pictures show all arms. */
export function drawnText(arms: readonly Arm[]): string | null {
  if (arms.length <= mostDrawn) return null
  const isLate = arms.slice(mostDrawn).some(({ baseline }) => baseline)
  return isLate
    ? `the baseline and the first ${mostDrawn - 1} of ${arms.length} arms`
    : `the first ${mostDrawn} of ${arms.length} arms`
}
