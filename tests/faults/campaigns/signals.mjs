import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { outcomeOf } from '../core/campaign.mjs'
import { eigenae, isCrash, startEigenae, summaryOf } from '../core/command.mjs'
import { differenceOf, sweepDifferenceOf } from '../core/workplace.mjs'

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

/** Of an undisturbed run, and of Node's start. */
const [longestMilliseconds, startMilliseconds] = [900, 150]

/** No ends of the command line's own: the kernel's default for a signal that nobody handles. */
const endedBySignal = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGPIPE', 'SIGKILL']

/**
 * `train` and `sweep` receive one to six signals at random moments. They end without a stack trace and without opening
 * Node's debugger, and a resume ends with the bytes of an undisturbed run.
 */
export const signalStorms = {
  name: 'signals',
  sample: 8,
  prepare: async (workplace) => {
    const [run, sweep] = [await workplace.referenceRun(), await workplace.referenceSweep()]
    const commands = [
      {
        args: (out, ...more) => workplace.trainArgs(out, ...more),
        difference: (out) => differenceOf(out, run),
      },
      {
        args: (out, ...more) => workplace.sweepArgs(out, ...more),
        difference: (out) => sweepDifferenceOf(out, sweep),
      },
    ]
    return {
      tries: 80,
      attempt: async (number, choice) => {
        const { args, difference } = commands[number % 4 === 3 ? 1 : 0]
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
 * While Node itself starts, no code of ours can keep SIGUSR1 from opening the debugger; it is closed in the first line of
 * bin/eigenae.js. `isEarly`: SIGUSR1 was sent before the command printed anything, so perhaps at that time.
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
  const resumed = await resume()
  const verdict = outcomeOf(resumed, resumed.code === 0 ? difference() : null)
  return { ...verdict, ended: `${summaryOf(first)}; resumed: ${verdict.ended}` }
}
