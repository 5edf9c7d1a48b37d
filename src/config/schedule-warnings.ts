import { eigenLossesOf } from '../eigen-losses/index.js'
import type { ScheduledConfig } from './schedule.js'
import type { Config } from './schema.js'

/** Returns a warning for each schedule that training ends before. */
export function scheduleWarnings({ loss, optimizer, train }: Config): readonly string[] {
  const isList = Array.isArray(loss.eigen)
  const schedules: readonly (readonly [path: string, value: ScheduledConfig])[] = [
    ['optimizer.learningRate', optimizer.learningRate],
    ...eigenLossesOf(loss.eigen).map(
      ({ weight }, index) => [`loss.eigen${isList ? `.${index}` : ''}.weight`, weight] as const,
    ),
  ]
  return schedules.flatMap(([path, value]) =>
    typeof value === 'number' || value.epochs <= train.epochs
      ? []
      : [`${path}: the schedule is ${value.epochs} epochs long, the training only ${train.epochs}`],
  )
}
