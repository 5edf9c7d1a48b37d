import { hasCode, usageError, withFileErrors } from './errors.js'
import { firstBytes } from './first-bytes.js'

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

/** Null where there is no such file. */
export async function isOurs({ file, mark }: Replaced): Promise<boolean | null> {
  const head = await headOf(file)
  return head === null ? null : head.includes(mark)
}

async function headOf(file: string): Promise<Buffer | null> {
  try {
    return await withFileErrors('read', file, () => firstBytes(file, headBytes))
  } catch (error) {
    if (!hasCode((error as Error).cause, 'ENOTDIR')) throw error
    throw usageError({ what: 'lies under a file, not a folder', where: file })
  }
}
