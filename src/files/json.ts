import { EigenaeError } from '../errors.js'
import { readTextIfPresent } from './read.js'

/** Returns indented JSON with a newline at the end, as all JSON files are written. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Returns the parsed JSON, undefined if the text is undefined or is not JSON. */
export function parseJsonIfValid(text: string | Buffer | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text.toString())
  } catch {
    return undefined
  }
}

/**
 * Returns the parsed JSON of a file, undefined if it does not exist.
 * @throws EigenaeError if it is not JSON, without V8's message: a link may lead to a private file, whose beginning that has.
 */
export function readJsonIfPresent(
  file: string,
  hint = 'Restore the file, or train the run again with --resume.',
): unknown {
  const text = readTextIfPresent(file)
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch (cause) {
    throw new EigenaeError({
      problem: 'is not valid JSON',
      subject: file,
      hint,
      cause,
    })
  }
}
