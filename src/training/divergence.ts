// Trainings that diverge, and those that learn nothing.

import { eigenLossesOf } from '../config/eigen-losses.js'
import type { Config } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import type { MetricsRow } from '../runs/tables.js'

/**
 * Throws if a value is not finite. The evaluation is checked too, because only it reflects the last update of the
 * epoch.
 */
export function refuseDivergence(
  values: Readonly<Record<string, number | null>>,
  epoch: number,
  config: Config,
  folder: string,
): void {
  const diverged = Object.entries(values).find(([, value]) => value !== null && !Number.isFinite(value))
  if (diverged === undefined) return
  const [name, value] = diverged
  const causes = [
    'optimizer.learningRate',
    ...(config.loss.eigen === null ? [] : ['loss.eigen.weight']),
    ...(config.data.noise > 1 ? ['data.noise'] : []),
  ]
  const formulas = eigenLossesOf(config.loss.eigen).flatMap((eigenLoss) =>
    eigenLoss.kind === 'formula' ? [eigenLoss.formula] : [],
  )
  const check = formulas.length === 0 ? '' : ` Check where the formula is not finite: ${formulas.join('; ')}`
  throw new EigenaeError({
    problem: `training diverged: ${name} of epoch ${epoch} is ${value}`,
    subject: folder,
    hint: `Lower ${causes.join(' or ')}.${check}`,
  })
}

// A network that still learns changes at least the last digits of its error. In a longer run, two epochs with equal
// errors may be chance.
const minimumEqualEpochs = 3

/**
 * Returns a warning if a network no longer learns: its test MSE is exactly the same in the last three or more epochs,
 * or in both epochs of a run of two. That happens when its rectifiers output 0 for every image and pass on no
 * gradient.
 */
export function stalledWarning(
  all: readonly Pick<MetricsRow, 'test_mse' | 'learning_rate'>[],
): string | null {
  // Nothing changes after a schedule has reached 0.
  const rows = all.slice(0, 1 + all.findLastIndex(({ learning_rate }) => learning_rate !== 0))
  const last = rows.at(-1)?.test_mse
  const equal = rows.length - 1 - rows.findLastIndex(({ test_mse }) => test_mse !== last)
  if (equal < minimumEqualEpochs && (equal < 2 || equal < rows.length)) return null
  const which = equal === rows.length ? `all ${equal}` : `the last ${equal}`
  const when = rows.length === all.length ? '' : ' with a learning rate over 0'
  return `the test MSE is exactly the same in ${which} epochs${when}, so the network learns nothing; lower optimizer.learningRate`
}
