import { join } from 'node:path'
import { outcomeAfterResume } from '../core/campaign.mjs'
import { bin, eigenae, isCrash, summaryOf } from '../core/command.mjs'
import { errorNumbers, withOperations } from '../core/operations.mjs'

/**
 * A file operation of `train` or `sweep`, reads included, fails, once or from then on. The command must end with a message
 * and exit code 1, or complete without the operation. Once errors stop, a resume must give the bytes of an undisturbed run.
 */
export const fileErrors = {
  name: 'file-errors',
  sample: 16,
  prepare: async (workplace) => {
    const commands = await workplace.commands()
    const disturbed = (args, out, settings) =>
      withOperations(workplace, out, { ...settings, scope: 'all' }, process.execPath, [bin, ...args])
    for (const command of Object.values(commands)) {
      const out = join(workplace.newFolder(), 'run')
      command.operations = (await disturbed(command.args(out), out, {})).operations
    }
    return {
      tries: 300,
      attempt: async (number, choice) => {
        const name = number % 5 === 4 ? 'sweep' : 'train'
        const { args, difference, operations } = commands[name]
        const out = join(workplace.newFolder(), 'run')
        const begun = choice.chance(0.3)
        if (begun)
          await withOperations(workplace, out, killAtRandom(choice, operations), process.execPath, [
            bin,
            ...args(out),
          ])
        const error = choice.of(Object.keys(errorNumbers))
        const lasting = choice.chance(0.5)
        const settings = { at: choice.between(1, operations), action: errorNumbers[error], lasting }
        const first = await disturbed(args(out, ...(begun ? ['--resume'] : [])), out, settings)
        const verdict = await verdictOf(
          first,
          () => eigenae(args(out, '--resume')),
          () => difference(out),
        )
        const meets = `${error} ${lasting ? 'from' : 'at'} ${first.operation}${begun ? ', resumed after a kill' : ''}`
        return { outcome: verdict.outcome, detail: `${name} meets ${meets}; ${verdict.ended}` }
      },
    }
  },
}

function killAtRandom(choice, operations) {
  return { at: choice.between(1, operations), action: 'kill' }
}

async function verdictOf(first, resume, difference) {
  if (first.hung) return { outcome: 'hung', ended: summaryOf(first) }
  if (isCrash(first)) return { outcome: 'crashed', ended: summaryOf(first) }
  if (first.code !== 0 && (first.code !== 1 || first.stderr.trim() === ''))
    return { outcome: 'lost', ended: `no message with exit code 1: ${summaryOf(first)}` }
  if (first.code === 0 && difference()?.lost !== undefined)
    return { outcome: 'silent', ended: difference().lost }
  return outcomeAfterResume(first, resume, difference)
}
