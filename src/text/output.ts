import { AsyncLocalStorage } from 'node:async_hooks'
import { writeSync } from 'node:fs'
import { EigenaeError, exitCode, fileError, isOutOfMemory, outOfMemory } from '../errors.js'
import { escapeControls, safeJson } from './format.js'
import { hasColours, type Line, renderLines, span } from './table.js'

const outputFile = new AsyncLocalStorage<number>()

/** Writes the results and messages of `act`, and of everything that it starts, to an open file instead of both streams. */
export function withOutputIn<T>(file: number, act: () => T): T {
  return outputFile.run(file, act)
}

/** Prints a result, which other programs read, to stdout. */
export function writeResult(text: string): void {
  write(process.stdout, escapeControls(text))
}

/** Prints the lines of a result, with colours if stdout is a terminal that shows them. */
export function writeLines(lines: readonly Line[]): void {
  write(process.stdout, renderLines(lines, outputFile.getStore() === undefined && hasColours(process.stdout)))
}

/** The size of a terminal, in characters. */
export interface Space {
  readonly columns: number
  readonly rows: number
}

/** Returns the size of the terminal that shows the results, infinite for a file or a pipe. */
export function resultSpace(): Space {
  const { isTTY, columns, rows } = process.stdout
  const isTerminal = isTTY && outputFile.getStore() === undefined
  const sizeOf = (size: number) => (isTerminal && size > 0 ? size : Number.POSITIVE_INFINITY)
  return { columns: sizeOf(columns), rows: sizeOf(rows) }
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

/** Prints a warning to stderr. */
export function writeWarning(text: string): void {
  const colours = outputFile.getStore() === undefined && hasColours(process.stderr)
  write(process.stderr, renderLines([[span('warning:', 'yellow'), span(` ${text}`)]], colours))
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
interface Foot {
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

const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const eraseToLineEnd = '\x1b[K'
const eraseBelow = '\x1b[J'

/** The whole terminal on stdout, on its alternate screen: when it is closed, the terminal shows what it showed before. */
export class Screen {
  #isOpen = false

  /** The size in cells. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 }
  }

  /** Replaces the content. No line is wider than the terminal, and none has control characters. */
  draw(lines: readonly string[]): void {
    const begin = this.#isOpen ? home : enter + home
    if (!this.#isOpen) {
      this.#isOpen = true
      // Messages appear when the screen is closed.
      setFoot({ writeAbove: (write) => this.#messages.push(write) })
      process.on('exit', this.close)
    }
    process.stdout.write(begin + lines.map((line) => `${line}${eraseToLineEnd}\r\n`).join('') + eraseBelow)
  }

  readonly #messages: (() => void)[] = []

  readonly close = (): void => {
    process.off('exit', this.close)
    if (!this.#isOpen) return
    this.#isOpen = false
    process.stdout.write(leave)
    setFoot(null)
    for (const write of this.#messages.splice(0)) write()
  }
}
