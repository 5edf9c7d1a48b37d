import type { MetricsRow } from '../runs/tables.js'

// A network that still learns changes its error in the last digits: two equal epochs of many may be chance in a float.
const leastEqual = 3

/**
 * A warning if a network has died: its test MSE is exactly the same in the last epochs, in three at least, or in both of
 * a run of two. Rectifiers that output 0 for every image pass no gradient on. Null if it has learnt to the end.
 */
export function stalledWarning(rows: readonly Pick<MetricsRow, 'test_mse'>[]): string | null {
  const last = rows.at(-1)?.test_mse
  const equal = rows.length - 1 - rows.findLastIndex(({ test_mse }) => test_mse !== last)
  if (equal < leastEqual && (equal < 2 || equal < rows.length)) return null
  const which = equal === rows.length ? `all ${equal}` : `the last ${equal}`
  return `the test MSE is exactly the same in ${which} epochs: the network learns nothing; lower optimizer.learningRate`
}
