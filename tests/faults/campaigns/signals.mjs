import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { outcomeAfterResume } from '../core/campaign.mjs'
import { eigenae, isCrash, startEigenae, summaryOf } from '../core/command.mjs'

const signals = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGWINCH',
  'SIGPIPE',
  'SIGQUIT',
]

/** Durations of an undisturbed run and of the start of Node. */
const [longestMilliseconds, startMilliseconds] = [900, 150]

/** Signals that end a process which does not handle them. */
const endedBySignal = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGPIPE', 'SIGKILL']

/**
 * `train` and `sweep` receive one to six signals at random moments. They must end without a stack trace and without opening
 * Node's debugger, and a resume must give the bytes of an undisturbed run.
 */
export const signalStorms = {
  name: 'signals',
  sample: 8,
  prepare: async (workplace) => {
    const { train, sweep } = await workplace.commands()
    return {
      tries: 80,
      attempt: async (number, choice) => {
        const { args, difference } = number % 4 === 3 ? sweep : train
        const out = join(workplace.newFolder(), 'run')
        const storm = Array.from({ length: choice.between(1, 6) }, () => choice.of(signals))
        const first = await underStorm(args(out), storm, choice)
        const verdict = await verdictOf(
          first,
          () => eigenae(args(out, '--resume')),
          () => difference(out),
        )
        return { outcome: verdict.outcome, detail: `${storm.join(', ')}: ${verdict.ended}` }
      },
    }
  },
}

/**
 * While Node itself starts, our code cannot prevent SIGUSR1 from opening the debugger. The first line of bin/eigenae.js
 * closes it. `isEarly`: SIGUSR1 was sent before the command printed anything, so possibly during the start.
 */
async function underStorm(args, storm, choice) {
  const { child, ended } = startEigenae(args)
  let [hasBegun, isEarly] = [false, false]
  child.stderr.once('data', () => {
    hasBegun = true
  })
  if (choice.chance(0.8)) await setTimeout(startMilliseconds)
  for (const signal of storm) {
    await setTimeout(choice.below(longestMilliseconds / storm.length))
    if (signal === 'SIGUSR1' && !hasBegun) isEarly = true
    child.kill(signal)
  }
  return { ...(await ended), isEarly }
}

async function verdictOf(first, resume, difference) {
  if (first.hung) return { outcome: 'hung', ended: summaryOf(first) }
  if (isCrash({ ...first, signal: endedBySignal.includes(first.signal) ? null : first.signal }))
    return { outcome: 'crashed', ended: summaryOf(first) }
  if (first.stderr.includes('Debugger listening') && !first.isEarly)
    return { outcome: 'crashed', ended: "Node's debugger was opened" }
  return outcomeAfterResume(first, resume, difference)
}
