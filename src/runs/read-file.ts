import { readFileSync } from 'node:fs'
import { EigenaeError, fileError, hasCode } from '../errors.js'

/** Null where there is no such file. Without promises: for thousands of small files they cost several times the reading. */
export function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw fileError('read', file, error)
  }
}

/** Null where there is no such file. @throws EigenaeError where it is no JSON. */
export function readJsonIfThere(file: string): unknown {
  const text = readIfThere(file)
  try {
    return text === null ? null : JSON.parse(text)
  } catch (cause) {
    throw new EigenaeError({
      what: `is not valid JSON: ${(cause as Error).message}`,
      where: file,
      hint: 'Restore the file, or train the run again with --overwrite.',
      cause,
    })
  }
}
