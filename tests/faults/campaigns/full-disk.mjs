import { join } from 'node:path'
import { outcomeOf } from '../core/campaign.mjs'
import { eigenae, isCrash, summaryOf } from '../core/command.mjs'
import { Disk, noDisk } from '../core/disk.mjs'

/** Somewhat more than a run or the sweep needs. */
const largest = { train: { kilobytes: 700, files: 24 }, sweep: { kilobytes: 2000, files: 80 } }

/**
 * `train` and `sweep` run out of disk space or of inodes. The command must print a message and exit with 1. Once there is
 * space, a resume must give the bytes of an undisturbed run.
 */
export const fullDisk = {
  name: 'full-disk',
  sample: 8,
  missing: (workplace) => noDisk(workplace, 'tmpfs'),
  prepare: async (workplace) => {
    const commands = await workplace.commands()
    return {
      tries: 120,
      attempt: async (number, choice) => {
        const name = number % 4 === 3 ? 'sweep' : 'train'
        const { kilobytes, files } = largest[name]
        const size = choice.chance(0.75)
          ? `size=${4 * choice.between(1, kilobytes / 4)}k`
          : `nr_inodes=${choice.between(2, files)}`
        const disk = Disk.tmpfs(workplace.newFolder(), size)
        const verdict = await fill(commands[name], disk)
        await disk.unmount()
        return { outcome: verdict.outcome, detail: `${name} with ${size}; ${verdict.ended}` }
      },
    }
  },
}

async function fill({ args, difference }, disk) {
  const out = join(disk.folder, 'run')
  const first = await eigenae(args(out))
  if (first.hung) return { outcome: 'hung', ended: summaryOf(first) }
  if (isCrash(first)) return { outcome: 'crashed', ended: summaryOf(first) }
  if (first.code === 0) return outcomeOf(first, difference(out))
  if (first.code !== 1 || !first.stderr.includes('no space left on the disk'))
    return { outcome: 'lost', ended: `no message: ${summaryOf(first)}` }
  disk.remount('size=64m,nr_inodes=0')
  const resumed = await eigenae(args(out, '--resume'))
  const verdict = outcomeOf(resumed, resumed.code === 0 ? difference(out) : null)
  return { ...verdict, ended: `resumed: ${verdict.ended}` }
}
