import { hasCode, usageError, withFileErrors } from '../errors.js'
import { firstBytes } from '../first-bytes.js'

/** In the head of every page of ours. */
export const generator = 'eigenae explore'

const headBytes = 1000

/** @throws a usage error where the page would replace something else than an earlier page. Writes nothing. */
export async function refuseForeignFile(file: string): Promise<void> {
  const head = await headOf(file)
  if (head === null || head.includes(`content="${generator}"`)) return
  throw usageError({
    what: 'exists and is no page of eigenae explore, so it is left as it is',
    where: file,
    mend: 'Name another file with --out.',
  })
}

/** Null where there is no such file. */
async function headOf(file: string): Promise<Buffer | null> {
  try {
    return await withFileErrors('read', file, () => firstBytes(file, headBytes))
  } catch (error) {
    const { cause } = error as Error
    if (hasCode(cause, 'EISDIR'))
      throw usageError({
        what: 'is a folder, --out names a file',
        where: file,
        mend: `For example ${file.replace(/\/+$/, '')}/page.html`,
      })
    if (hasCode(cause, 'ENOTDIR')) throw usageError({ what: 'lies under a file, not a folder', where: file })
    throw error
  }
}
