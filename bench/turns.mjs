import { availableParallelism } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** The threads of the previous contender may still spin for a moment. */
const restMilliseconds = 100

/**
 * Measures in turns, A B C A B C …, and the machine's peak in each round, so that a slow minute of the machine affects all
 * contenders equally. A contender is { name, threads, images, gigaflop, gigavalues, open(): { measure(): seconds, close() } };
 * gigavalues are those that batch norm normalises, 0 or undefined without it.
 */
export async function measureInTurns(contenders, machine, rounds, say) {
  const entrants = []
  try {
    for (const contender of contenders) {
      entrants.push({ contender, job: await contender.open(), seconds: [], floors: [] })
    }
    for (let round = 1; round <= rounds; round++) {
      const peak = await machine.peak()
      for (const entrant of entrants) await measureOnce(entrant, peak)
      say(`  round ${round} of ${rounds}, peak ${peak.one.toFixed(0)} a core, ${peak.all.toFixed(0)} GFLOP/s`)
    }
    for (const entrant of entrants) entrant.facts = await entrant.job.facts?.()
    return entrants.map(summarise)
  } finally {
    for (const { job } of entrants) await job.close()
  }
}

async function measureOnce({ contender, job, seconds, floors }, peak) {
  await pause(restMilliseconds)
  seconds.push(await job.measure())
  const { threads, gigaflop, gigavalues = 0 } = contender
  floors.push(gigaflop / rateOn(threads, peak) + gigavalues / rateOn(threads, peak.passes))
}

function rateOn(threads, { one, all }) {
  const cores = availableParallelism()
  return threads === 1 ? one : threads >= cores ? all : Math.min(all, one * threads)
}

function summarise({ contender, seconds, floors, facts }) {
  const { name, threads, batchSize, images, gigaflop, gigavalues = 0, epochs = 1 } = contender
  const floor = median(floors)
  return {
    ...{ name, threads, batch_size: batchSize, images, epochs, gigaflop, gigavalues },
    ...{ seconds, median: median(seconds), min: Math.min(...seconds), max: Math.max(...seconds) },
    images_per_second: (images * epochs) / median(seconds),
    ...{ floor, times_floor: median(seconds.map((each, round) => each / floors[round])) },
    ...(facts && { facts }),
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
