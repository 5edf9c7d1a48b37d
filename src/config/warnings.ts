import { withoutEffect } from './eigen-loss-layers.js'
import { eigenLossesWithPaths } from './eigen-losses.js'
import type { ScheduledConfig } from './schedule.js'
import type { Config } from './schema.js'

/** Returns what may not be intended in a valid config, one warning per line. */
export function configWarnings({ loss, optimizer, train }: Config): readonly string[] {
  const weights = eigenLossesWithPaths(loss.eigen).map(({ eigenLoss: { weight }, path }) => ({
    path: `${path.join('.')}.weight`,
    value: weight,
  }))
  const rate = { path: 'optimizer.learningRate', value: optimizer.learningRate }
  const lengths = [rate, ...weights].flatMap(({ path, value }) =>
    typeof value === 'number' || value.epochs <= train.epochs
      ? []
      : [`${path}: the schedule is ${value.epochs} epochs long, the training only ${train.epochs}`],
  )
  const negative = weights.filter(({ value }) => lowest(value) < 0)
  return [
    ...lengths,
    ...restWarnings(rate.value, train.epochs),
    ...negative.map(({ path }) => `${path}: is negative, so training raises the loss instead of lowering it`),
  ]
}

/** Warns of a learning rate that reaches 0 before the training ends. */
function restWarnings(rate: ScheduledConfig, epochs: number): readonly string[] {
  if (typeof rate === 'number' || rate.to > 0 || rate.epochs >= epochs) return []
  return [`optimizer.learningRate: is 0 after ${rate.epochs} of ${epochs} epochs; the others train nothing`]
}

function lowest(value: ScheduledConfig): number {
  return typeof value === 'number' ? value : Math.min(value.from, value.to)
}

/** Returns a warning for each eigen loss that is constant on some of its layers. */
export function effectWarnings({ loss, model }: Config): readonly string[] {
  return eigenLossesWithPaths(loss.eigen).flatMap(({ eigenLoss, path }) => {
    const found = withoutEffect(eigenLoss, model.widths)
    return found === null ? [] : [`${path.join('.')}: ${found.problem}`]
  })
}
