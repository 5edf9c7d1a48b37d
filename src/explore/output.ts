import { hasCode, usageError } from '../errors.js'
import { isOurs } from '../files/overwrite-guard.js'

/** In the head of every page of ours. */
export const generator = 'eigenae explore'

/** @throws a usage error where the page would replace something else than an earlier page. Writes nothing. */
export async function refuseForeignFile(file: string): Promise<void> {
  if ((await isOurPage(file)) !== false) return
  throw usageError({
    what: 'exists and is no page of eigenae explore, so it is left as it is',
    where: file,
    hint: 'Name another file with --out.',
  })
}

/** Null where there is no such file. */
async function isOurPage(file: string): Promise<boolean | null> {
  try {
    return await isOurs({ file, mark: `content="${generator}"` })
  } catch (error) {
    if (!hasCode((error as Error).cause, 'EISDIR')) throw error
    throw usageError({
      what: 'is a folder, --out names a file',
      where: file,
      hint: `For example ${file.replace(/\/+$/, '')}/page.html`,
    })
  }
}
