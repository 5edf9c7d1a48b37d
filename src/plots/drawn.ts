/** The arms that pictures keep if there are too many: the best ones and the baseline. */
import type { Arm, Comparison } from '../comparison/comparison.js'
import { bestFirst } from '../comparison/selection.js'
import { meaningOf } from '../runs/metrics.js'

/** The pictures show this many arms, because more could not be distinguished. The tables list all of them. */
export const mostDrawn = 12

type Ranked = Pick<Comparison, 'arms' | 'baseline' | 'tested' | 'results' | 'rankedBy'>

/** Returns the best items in their order, and those that have to stay in place of the last ones. */
export function keepBest<A>(
  items: readonly A[],
  most: number,
  { rankedBy, baseline, tested, results }: Ranked,
  armsOf: (item: A) => readonly Arm[],
): readonly A[] {
  if (items.length <= most) return items
  const means = new Map(
    results.filter(({ metric }) => metric === rankedBy).map(({ arm, summary }) => [arm.name, summary.mean]),
  )
  const meanOf = (item: A) => {
    const known = armsOf(item).flatMap(({ name }) => means.get(name) ?? [])
    const [best = null] = bestFirst(known, rankedBy, (mean) => mean)
    return best
  }
  const stays = (item: A) => tested && armsOf(item).some(({ name }) => name === baseline.name)
  const ranked = bestFirst(items, rankedBy, meanOf)
  const staying = ranked.slice(most - 1).filter(stays)
  const kept = new Set([...ranked.slice(0, most - staying.length), ...staying])
  return items.filter((item) => kept.has(item))
}

/** Returns the arms that have a colour, a line or a panel in the pictures, in the order of the comparison. */
export function drawnOf(comparison: Ranked, most = mostDrawn): readonly Arm[] {
  return keepBest(comparison.arms, most, comparison, (arm) => [arm])
}

/** Returns "the best 12 of 16 arms by noisy test MSE"; null if the pictures show all arms. */
export function drawnText(comparison: Ranked, most = mostDrawn): string | null {
  const { arms, baseline, rankedBy, tested } = comparison
  if (arms.length <= most) return null
  const by = `of ${arms.length} arms by ${meaningOf(rankedBy).label}`
  const best = keepBest(arms, most, { ...comparison, tested: false }, (arm) => [arm])
  if (!tested || best.some(({ name }) => name === baseline.name)) return `the best ${most} ${by}`
  return `the baseline and the best ${most - 1} ${by}`
}
