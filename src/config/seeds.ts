import { z } from 'zod'
import { configSchema } from './schema.js'

const seedSchema = configSchema.shape.seed.unwrap()

// As many as a sweep may have runs (src/runs/sweep-plan.ts); checked before they are listed.
const maximumSeeds = 100_000

/** Seeds as text: numbers and ranges, both ends included. */
const seedsText = z.string().transform((text, context) => {
  const seeds = parseSeeds(text)
  if (typeof seeds !== 'string') return seeds
  context.addIssue({ code: 'custom', message: seeds })
  return z.NEVER
})

/** The `seeds` of a sweep file. */
export const seedsSchema = z
  .union([z.array(seedSchema).min(1), seedsText], {
    error: 'must be a list of whole numbers, or text like "0-9"',
  })
  .default([0])
  .describe('Seeds of each arm: a list, or text like "0-9" or "0-4,7".')

/** Returns the seeds of "0-9" or "0-4,7", both ends included, in the order of the text; or the problem. */
export function parseSeeds(text: string): readonly number[] | string {
  const seeds: number[] = []
  for (const part of text.split(',')) {
    const [, low, high = low] = /^ *(\d+)(?: *- *(\d+))? *$/.exec(part) ?? []
    if (low === undefined) return 'must be whole numbers and ranges, like "0-9" or "0-4,7"'
    const [first, last] = [Number(low), Number(high)]
    if (!seedSchema.safeParse(last).success) return `must be at most ${2 ** 32 - 1}`
    if (first > last) return `the range ${part.trim()} has its larger number first`
    if (seeds.length + last - first >= maximumSeeds) return `must be at most ${maximumSeeds} seeds`
    for (let seed = first; seed <= last; seed++) seeds.push(seed)
  }
  return seeds
}

/** Returns ascending seeds as `parseSeeds` reads them: "0-4,7". */
export function formatSeeds(seeds: readonly number[]): string {
  const starts = seeds.filter((seed, index) => index === 0 || seed - seeds[index - 1]! > 1)
  const ends = seeds.filter((seed, index) => index === seeds.length - 1 || seeds[index + 1]! - seed > 1)
  return starts.map((start, index) => (start === ends[index] ? start : `${start}-${ends[index]}`)).join(',')
}
