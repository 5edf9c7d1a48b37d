import { AsyncLocalStorage } from 'node:async_hooks'
import { writeSync } from 'node:fs'
import { EigenaeError, exitCode, fileError, isOutOfMemory, outOfMemory } from '../errors.js'
import { escapeControls, safeJson } from './format.js'

const outputFile = new AsyncLocalStorage<number>()

/** Writes the results and messages of `act`, and of everything that it starts, to an open file instead of both streams. */
export function withOutputIn<T>(file: number, act: () => T): T {
  return outputFile.run(file, act)
}

/** Prints a result, which other programs read, to stdout. */
export function writeResult(text: string): void {
  write(process.stdout, escapeControls(text))
}

export function writeJson(value: unknown): void {
  write(process.stdout, safeJson(value, 2))
}

/** Prints a JSON value on one line, for output that is read line by line. */
export function writeJsonLine(value: unknown): void {
  write(process.stdout, safeJson(value))
}

/** Prints progress or a message to stderr. */
export function writeMessage(text: string): void {
  write(process.stderr, escapeControls(text))
}

/** Prints an error with its subject and hint. Returns its exit code. */
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
    const [problem, hint] = outOfMemory
    return new EigenaeError({ problem, hint, cause: error })
  }
  return new EigenaeError({
    problem: error instanceof Error ? error.message : String(error),
    hint: 'EIGENAE_DEBUG=1 shows where this comes from.',
    cause: error,
  })
}

/** Lines that are redrawn at the foot of the terminal, below everything else that is printed. */
export interface Foot {
  writeAbove(write: () => void): void
}

let foot: Foot | null = null

/** Sets the foot of the terminal; null removes it. */
export function setFoot(drawn: Foot | null): void {
  foot = drawn
}

/** Returns whether the terminal's cursor may stand right after the "^C" that the terminal echoed. */
export function mayFollowEcho(): boolean {
  return foot === null && process.stderr.isTTY && outputFile.getStore() === undefined
}

/** The only place that writes to stdout and stderr, except for the progress bars. */
function write(stream: NodeJS.WriteStream, text: string): void {
  const file = outputFile.getStore()
  if (file !== undefined) writeSync(file, `${text}\n`)
  else if (foot !== null && stream.isTTY) foot.writeAbove(() => stream.write(`${text}\n`))
  else stream.write(`${text}\n`)
}

let worksUnread = 0

/**
 * Lets work that writes files continue after the reader of the output has closed it. The work ends when the returned
 * function is called.
 */
export function workOnUnread(): () => void {
  worksUnread++
  return () => {
    worksUnread--
  }
}

/** Exits without an error if the reader closes the output early, as in "eigenae runs | head". */
export function endQuietlyWhenOutputCloses(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' && worksUnread > 0) return
      if (error.code === 'EPIPE') process.exit()
      if (stream === process.stdout) writeMessage(`eigenae: cannot write the results: ${error.message}`)
      process.exit(exitCode.failed)
    })
  }
}
