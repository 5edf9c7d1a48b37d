import { z } from 'zod'

/** A value that changes over the first `epochs` of a training: the fields of its config. */
function scheduleSchema(bound: z.ZodNumber, last: z.ZodNumber) {
  const sameSign = bound.safeParse(-1).success
    ? 'from and to are both over 0, or both under 0'
    : 'to is over 0'
  return z
    .strictObject({
      from: bound.describe('Value at the first step.'),
      to: last.describe('Value after the given number of epochs.'),
      shape: z
        .enum(['exponential', 'linear', 'cosine', 'step'])
        .describe('Course between the two; "step" holds the first value and then jumps.'),
      epochs: z.number().gt(0).describe('Number of epochs from the first value to the last.'),
    })
    .refine(({ from, to, shape }) => shape !== 'exponential' || from * to > 0, {
      path: ['shape'],
      error: `must not be "exponential" unless ${sameSign}; use "cosine" or "linear" to end at 0`,
    })
}

/** A number or a schedule of numbers, all within the bound, except that the last value of a schedule has its own. */
export function scheduledSchema(bound: z.ZodNumber, last = bound) {
  const example = '{"from": 0.01, "to": 0.001, "shape": "cosine", "epochs": 10}'
  return z.union([bound, scheduleSchema(bound, last)], {
    error: `must be a number, or a schedule like ${example}`,
  })
}

export type ScheduledConfig = z.output<ReturnType<typeof scheduledSchema>>
