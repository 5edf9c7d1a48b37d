import { EigenaeError, fileError, isOutOfMemory, outOfMemory } from '../errors.js'
import { writeMessage } from './output.js'

/** Prints an error with its place and hint. Returns the exit code that belongs to it. */
export function writeFailure(error: unknown): number {
  const known = error instanceof EigenaeError ? error : unexpected(error)
  writeMessage(`eigenae: ${known.message}`)
  if (process.env.EIGENAE_DEBUG === '1') {
    for (let each = error; each instanceof Error; each = each.cause) writeMessage(each.stack ?? each.message)
  }
  return known.exit
}

function unexpected(error: unknown): EigenaeError {
  if (error instanceof Error && 'path' in error && typeof error.path === 'string') {
    return fileError('use', error.path, error)
  }
  if (isOutOfMemory(error)) {
    const [what, hint] = outOfMemory
    return new EigenaeError({ problem: what, hint, cause: error })
  }
  const what = error instanceof Error ? error.message : String(error)
  return new EigenaeError({
    problem: what,
    hint: 'EIGENAE_DEBUG=1 shows where this comes from.',
    cause: error,
  })
}
