import { setTimeout } from 'node:timers/promises'
import { bin, eigenae, run } from './command.mjs'
import { compile, withOperations } from './operations.mjs'

/**
 * ext4 may write names before contents, and contents at any later time. `noauto_da_alloc` and `data=writeback` switch off
 * its help for programs that do not sync; `commit=1` writes the names after a second.
 */
export const mountOptions = [
  'rw',
  'commit=1',
  'commit=1,noauto_da_alloc',
  'commit=1,noauto_da_alloc,data=writeback',
]

/** Flags of EXT4_IOC_SHUTDOWN: with and without a flush of the journal, which holds names that are not written yet. */
const cutFlags = [1, 2]

/**
 * Cuts the power of a disk at one of a command's operations below `folder`. Returns the command's outcome and a description
 * of the cut.
 */
export async function cutDuring(workplace, disk, choice, operations, folder, args, options) {
  const at = choice.between(1, operations)
  const cut = choice.of(cutFlags)
  const commit = choice.chance(0.5) ? choice.between(1, at) : 0
  const settings = { at, action: 'cut', cut, commit, disk: disk.folder }
  const words = [bin, ...args]
  const result = await withOperations(workplace, folder, settings, process.execPath, words, options)
  return { result, cutAt: `at ${result.operation} (flag ${cut}, names written before ${commit})` }
}

/** Cuts the power of a disk after a command has ended. */
export async function cutAfter(workplace, disk, choice, args, options) {
  const result = await eigenae(args, options)
  const wait = choice.of([0, 0, 1500])
  await setTimeout(wait)
  const cut = choice.of(cutFlags)
  const { code, stderr } = await run(compile(workplace, 'power-cut'), [disk.folder, String(cut)])
  if (code !== 0) throw new Error(stderr)
  return { result, cutAt: `${wait} ms after the end (flag ${cut})` }
}
