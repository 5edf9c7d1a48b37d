import { hasCode, usageError } from '../errors.js'
import { readFirstBytes } from './read.js'

/** In the first bytes of every picture and report, as the sign that a later call may replace it. */
export const signature = 'made by eigenae'

const headBytes = 1000

/** A file to be written, and what stands in the first bytes of an earlier one of ours. */
export interface Replaced {
  readonly file: string
  readonly mark: string
}

/** @throws a usage error where something else than an earlier file of ours would be replaced. Writes nothing. */
export async function refuseForeignFiles(files: readonly Replaced[]): Promise<void> {
  for (const each of files) {
    if ((await isOurs(each)) !== false) continue
    throw usageError({
      what: 'exists and does not say that eigenae made it, so it is left as it is',
      where: each.file,
      hint: 'Name another folder with --out.',
    })
  }
}

/** Whether eigenae wrote the file; null if there is none. */
export async function isOurs({ file, mark }: Replaced): Promise<boolean | null> {
  return headOf(file)?.includes(mark) ?? null
}

function headOf(file: string): Buffer | undefined {
  try {
    return readFirstBytes(file, headBytes)
  } catch (error) {
    if (!hasCode((error as Error).cause, 'ENOTDIR')) throw error
    throw usageError({ what: 'lies under a file, not a folder', where: file })
  }
}
