import { open } from 'node:fs/promises'
import { hasCode, usageError, withFileErrors } from '../errors.js'

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
async function headOf(file: string): Promise<string | null> {
  try {
    return await withFileErrors('read', file, () => readHead(file))
  } catch (error) {
    const { cause } = error as Error
    if (hasCode(cause, 'ENOENT')) return null
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

async function readHead(file: string): Promise<string> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
