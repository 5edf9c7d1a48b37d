import { isCrash, summaryOf } from './command.mjs'
import { Choice } from './random.mjs'

/** The number of parallel tries. Each trains on one thread. */
const parallel = 2

/**
 * Outcomes that make a campaign fail. Litter: a file that remains for good. Unnamed: a refusal that names neither the file
 * nor the run. Raw: control characters in the output. Exposed: a hostile file made the command run a program or copy a
 * private file.
 */
export const failures = ['lost', 'litter', 'silent', 'unnamed', 'raw', 'exposed', 'hung', 'crashed']

/**
 * Makes the tries of a campaign and counts their outcomes. A try returns { outcome, detail }; the detail is printed for
 * failures. If a try throws, the campaign itself has failed.
 */
export async function makeTries({ name, seed, tries, attempt }) {
  const counts = new Map()
  const failed = []
  const numbers = tries.values()
  const began = performance.now()
  const work = async (slot) => {
    for (const number of numbers) {
      const { outcome, detail = '' } = await attempt(number, new Choice(name, seed, number), slot)
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      if (failures.includes(outcome)) failed.push({ number, outcome, detail })
    }
  }
  await Promise.all(Array.from({ length: parallel }, (_, slot) => work(slot)))
  return { tries: tries.length, counts, failed, seconds: (performance.now() - began) / 1000 }
}

/** Returns the outcome of a command that should have completed a run after a fault. */
export function outcomeOf(result, difference) {
  if (result.hung) return { outcome: 'hung', ended: summaryOf(result) }
  if (isCrash(result)) return { outcome: 'crashed', ended: summaryOf(result) }
  if (result.code !== 0) return { outcome: 'lost', ended: summaryOf(result) }
  if (difference?.lost !== undefined) return { outcome: 'lost', ended: difference.lost }
  if (difference !== null) return { outcome: 'litter', ended: difference.litter }
  return { outcome: 'survived', ended: 'the same' }
}

/** Resumes after a command that a fault has ended, and returns the outcome of both. */
export async function outcomeAfterResume(first, resume, difference) {
  const resumed = await resume()
  const verdict = outcomeOf(resumed, resumed.code === 0 ? difference() : null)
  return { ...verdict, ended: `${summaryOf(first)}; resumed: ${verdict.ended}` }
}

/** Returns a row of the report: the number of tries and of each outcome. */
export function rowOf(name, { tries, counts, seconds }) {
  const outcomes = [...counts].sort().map(([outcome, count]) => `${count} ${outcome}`)
  return `${name.padEnd(14)} ${String(tries).padStart(5)} tries: ${outcomes.join(', ')} (${Math.round(seconds)} s)`
}
