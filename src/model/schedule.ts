/** A value that changes from step to step, and then stays. */
interface Schedule {
  readonly from: number
  readonly to: number
  readonly shape: 'linear' | 'exponential' | 'cosine' | 'step'
  /** The number of steps, not always whole, from `from` to `to`. */
  readonly steps: number
}

/** A constant, or a schedule. */
export type Scheduled = number | Schedule

/**
 * Returns the value at a step, counted from 0. "exponential" has the same ratio from each step to the next, and "cosine" is half
 * a period (torch.optim.lr_scheduler.CosineAnnealingLR); "step" holds `from` and then jumps to `to`.
 */
export function scheduledValue(scheduled: Scheduled, step: number): number {
  if (typeof scheduled === 'number') return scheduled
  const { from, to, shape, steps } = scheduled
  if (step >= steps) return to
  const done = step / steps
  switch (shape) {
    case 'linear':
      return from + (to - from) * done
    case 'exponential':
      return from * (to / from) ** done
    case 'cosine':
      return to + ((from - to) * (1 + Math.cos(Math.PI * done))) / 2
    case 'step':
      return from
  }
}

/** Returns the factor of the learning rate at a step, counted from 0: it rises linearly and is 1 from step `warmup` − 1 on. */
function warmupFactor(warmup: number, step: number): number {
  return step + 1 >= warmup ? 1 : (step + 1) / warmup
}

/** Returns the learning rate at a step, counted from 0: its schedule, times the warm-up. */
export function learningRateAt(
  { learningRate, warmup }: { readonly learningRate: Scheduled; readonly warmup: number },
  step: number,
): number {
  return scheduledValue(learningRate, step) * warmupFactor(warmup, step)
}

/** Returns the mean of a function of the step over `count` steps, exactly if it is constant. */
export function meanOverSteps(at: (step: number) => number, first: number, count: number): number {
  const start = at(first)
  let difference = 0
  for (let step = first; step < first + count; step++) difference += at(step) - start
  return start + difference / count
}
