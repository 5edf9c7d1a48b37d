import { join } from 'node:path'
import { outcomeOf } from '../core/campaign.mjs'
import { bin, eigenae } from '../core/command.mjs'
import { withOperations } from '../core/operations.mjs'
import { differenceOf, sweepDifferenceOf } from '../core/workplace.mjs'

/**
 * `train` is killed at each of its file operations and in the middle of each write. A third of the tries also kill the
 * resumed run. A last resume must give the bytes of an undisturbed run and leave no extra files.
 */
export const kills = {
  name: 'kills',
  sample: 12,
  prepare: async (workplace) => {
    const reference = await workplace.referenceRun()
    const args = (out, ...more) => workplace.trainArgs(out, ...more)
    return killsOf(workplace, args, (out) => differenceOf(out, reference))
  },
}

/** The same for `sweep`. Its own process is killed as often as those of its runs. */
export const sweepKills = {
  name: 'sweep-kills',
  sample: 4,
  prepare: async (workplace) => {
    const reference = await workplace.referenceSweep()
    const args = (out, ...more) => workplace.sweepArgs(out, ...more)
    return killsOf(workplace, args, (out) => sweepDifferenceOf(out, reference))
  },
}

/** The same for `train --resume` with more epochs than the run in the folder has. */
export const lengthenings = {
  name: 'lengthenings',
  sample: 6,
  prepare: async (workplace) => {
    const reference = await workplace.referenceRun()
    const args = (out) => workplace.trainArgs(out, '--resume')
    const begin = (out) => eigenae(workplace.trainArgs(out, '--epochs', '1'))
    return killsOf(workplace, args, (out) => differenceOf(out, reference), begin)
  },
}

/** @param begin puts a run into the folder before the command is killed */
async function killsOf(workplace, args, difference, begin = () => {}) {
  const killed = (out, settings, ...more) =>
    withOperations(workplace, out, settings, process.execPath, [bin, ...args(out, ...more)])
  const undisturbed = join(workplace.newFolder(), 'run')
  await begin(undisturbed)
  const { operations } = await killed(undisturbed, {})
  return {
    tries: 3 * operations,
    attempt: async (number, choice) => {
      const out = join(workplace.newFolder(), 'run')
      await begin(out)
      const action = number % 3 === 1 ? 'half' : 'kill'
      const first = await killed(out, { at: 1 + (Math.floor(number / 3) % operations), action })
      const deaths = [first.operation]
      if (number % 3 === 2) {
        const again = { at: choice.between(1, operations), action: choice.of(['kill', 'half']) }
        deaths.push((await killed(out, again, '--resume')).operation)
      }
      const result = await eigenae(args(out, '--resume'))
      const { outcome, ended } = outcomeOf(result, result.code === 0 ? difference(out) : null)
      return { outcome, detail: `killed at ${deaths.join(' and at ')}; resumed: ${ended}` }
    },
  }
}
