import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, isCrash, root, startEigenae, summaryOf } from '../core/command.mjs'
import { withOperations } from '../core/operations.mjs'
import { differenceOf, readIfPresent } from '../core/workplace.mjs'

const contenders = 4

/**
 * Several processes start or resume one run at the same time, in half of the tries with the lock of a killed process in
 * the folder. One of them trains and is held until all others have been refused. It must give the bytes of an undisturbed
 * run.
 */
export const lockRaces = {
  name: 'lock-races',
  sample: 3,
  prepare: async (workplace) => {
    const reference = await workplace.referenceRun()
    return {
      tries: 40,
      attempt: async (_, choice) => {
        const folder = workplace.newFolder()
        const out = join(folder, 'run')
        if (choice.chance(0.5)) {
          const killed = { at: choice.between(10, 40), action: 'kill' }
          await withOperations(workplace, out, killed, process.execPath, [bin, ...workplace.trainArgs(out)])
        }
        const results = await race(workplace.trainArgs(out, '--resume'), join(folder, 'held'))
        return judge(results, out, reference)
      },
    }
  },
}

async function race(args, reached) {
  const env = {
    NODE_OPTIONS: `--import=${pathToFileURL(join(root, 'tests/support/hold-run.mjs'))}`,
    EIGENAE_TEST_HOLD: JSON.stringify({ epoch: 3, run: '', release: ['SIGCONT'], reached }),
  }
  const running = Array.from({ length: contenders }, () => startEigenae(args, { env }))
  let refused = 0
  for (const { ended } of running) void ended.then(() => refused++)
  const isOver = () =>
    refused === contenders || (refused === contenders - 1 && readIfPresent(reached)?.length > 0)
  while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 10))
  for (const { child } of running) child.kill('SIGCONT')
  return Promise.all(running.map(({ ended }) => ended))
}

function judge(results, out, reference) {
  const detail = results.map(summaryOf).join(' | ')
  if (results.some(({ hung }) => hung)) return { outcome: 'hung', detail }
  if (results.some(isCrash)) return { outcome: 'crashed', detail }
  const winners = results.filter(({ code }) => code === 0).length
  const refused = results.filter(
    ({ code, stderr }) => code === 1 && /is writing into this folder/.test(stderr),
  ).length
  if (winners !== 1 || refused !== contenders - 1)
    return { outcome: 'lost', detail: `${winners} trained: ${detail}` }
  const difference = differenceOf(out, reference)
  if (difference === null) return { outcome: 'survived', detail }
  return {
    outcome: difference.lost === undefined ? 'litter' : 'lost',
    detail: difference.lost ?? difference.litter,
  }
}
