import { join } from 'node:path'
import { outcomeOf } from '../core/campaign.mjs'
import { bin, eigenae } from '../core/command.mjs'
import { cutAfter, cutDuring, mountOptions } from '../core/cuts.mjs'
import { Disk, noDisk } from '../core/disk.mjs'
import { withOperations } from '../core/operations.mjs'
import { differenceOf, recordOf, runsOf, sweepDifferenceOf } from '../core/workplace.mjs'

/**
 * The disk loses its power at an operation of `train` or `sweep`, or after their end. Everything that was reported as saved
 * must exist when the disk is mounted again, and a resume must give the bytes of an undisturbed run. It follows at once, so
 * that a lock must still show that its process is dead.
 */
export const powerCuts = {
  name: 'power-cuts',
  sample: 8,
  missing: (workplace) => noDisk(workplace, 'ext4'),
  prepare: async (workplace) => {
    const commands = [await trainCase(workplace), await sweepCase(workplace)]
    for (const each of commands) each.operations = await countOperations(workplace, each)
    return {
      tries: 80,
      attempt: async (number, choice) => {
        const command = commands[Math.floor(number / 2) % 2]
        const options = choice.of(mountOptions)
        const disk = Disk.ext4(workplace.newFolder(), options)
        const out = join(disk.folder, 'run')
        const words = command.args(out)
        const { result, cutAt } = await (number % 2 === 0
          ? cutDuring(workplace, disk, choice, command.operations, out, words)
          : cutAfter(workplace, disk, choice, words))
        await disk.unmount()
        disk.mount()
        const verdict = await verdictOf(command, out, result)
        await disk.unmount()
        return { outcome: verdict.outcome, detail: `${options}, cut ${cutAt}; ${verdict.ended}` }
      },
    }
  },
}

async function trainCase(workplace) {
  const reference = await workplace.referenceRun()
  return {
    args: (out, ...more) => workplace.trainArgs(out, ...more),
    difference: (out) => differenceOf(out, reference),
    /** Returns what `result` reported as saved but is missing, null if nothing is. */
    missing: (out, { code }) =>
      code === 0 || recordOf(out)?.status === 'completed'
        ? (differenceOf(out, reference)?.lost ?? null)
        : null,
    lostEpochs: (result, resumed) => {
      const reported = Math.max(
        0,
        ...[...result.stderr.matchAll(/^epoch +(\d+)\//gm)].map(([, epoch]) => Number(epoch)),
      )
      const after = Number(/resuming after epoch (\d+)/.exec(resumed.stderr)?.[1] ?? 0)
      return /already complete/.test(resumed.stderr) ? 0 : reported - after
    },
  }
}

async function sweepCase(workplace) {
  const reference = await workplace.referenceSweep()
  return {
    args: (out, ...more) => workplace.sweepArgs(out, '--json', ...more),
    difference: (out) => sweepDifferenceOf(out, reference),
    missing: (out, { stdout }) => {
      const completed = [...stdout.matchAll(/"completed","run":"([^"]+)"/g)].map(([, run]) => run)
      const recorded = runsOf(reference).filter((run) => recordOf(join(out, run))?.status === 'completed')
      for (const run of new Set([...completed, ...recorded])) {
        const lost = differenceOf(join(out, run), join(reference, run))?.lost
        if (lost !== undefined) return `${run}: ${lost}`
      }
      return null
    },
    lostEpochs: () => 0,
  }
}

async function countOperations(workplace, { args }) {
  const out = join(workplace.newFolder(), 'run')
  return (await withOperations(workplace, out, {}, process.execPath, [bin, ...args(out)])).operations
}

/** The last reported epoch may not have been written yet. */
const epochsInProgress = 1

async function verdictOf(command, out, result) {
  const missing = command.missing(out, result)
  if (missing !== null) return { outcome: 'lost', ended: `after mounting again: ${missing}` }
  const resumed = await eigenae(command.args(out, '--resume'))
  const verdict = outcomeOf(resumed, resumed.code === 0 ? command.difference(out) : null)
  const lost = command.lostEpochs(result, resumed)
  if (lost > epochsInProgress) return { outcome: 'lost', ended: `${lost} epochs had to be trained again` }
  return { ...verdict, ended: `resumed: ${verdict.ended}` }
}
