import { eigenLossesOf } from '../eigen-losses/index.js'
import type { ScheduledConfig } from './schedule.js'
import type { Config } from './schema.js'

/** Returns what may not be intended in a valid config, one warning per line. */
export function configWarnings({ loss, optimizer, train }: Config): readonly string[] {
  const isList = Array.isArray(loss.eigen)
  const schedules: readonly (readonly [path: string, value: ScheduledConfig])[] = [
    ['optimizer.learningRate', optimizer.learningRate],
    ...eigenLossesOf(loss.eigen).map(
      ({ weight }, index) => [`loss.eigen${isList ? `.${index}` : ''}.weight`, weight] as const,
    ),
  ]
  const lengths = schedules.flatMap(([path, value]) =>
    typeof value === 'number' || value.epochs <= train.epochs
      ? []
      : [`${path}: the schedule is ${value.epochs} epochs long, the training only ${train.epochs}`],
  )
  return [...lengths, ...restWarnings(optimizer.learningRate, train.epochs)]
}

/** Warns of a learning rate that reaches 0 before the training ends. */
function restWarnings(rate: ScheduledConfig, epochs: number): readonly string[] {
  if (typeof rate === 'number' || rate.to > 0 || rate.epochs >= epochs) return []
  return [`optimizer.learningRate: is 0 after ${rate.epochs} of ${epochs} epochs; the others train nothing`]
}
